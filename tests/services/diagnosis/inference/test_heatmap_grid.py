from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.attribution.image import contribution_grid
from services.diagnosis.inference.prediction import ImageExplanation
from services.diagnosis.model.preprocessing.image import Letterbox

CELLS = np.random.default_rng(0).normal(size=(16, 16))
WHOLE = Letterbox(0, 0, 128, 128, 128)
NARROW = Letterbox(16, 0, 96, 128, 128)


@pytest.mark.parametrize("box", [WHOLE, NARROW])
def test_the_grid_has_the_image_s_aspect_and_sums_to_its_contribution(box: Letterbox) -> None:
    grid = contribution_grid(CELLS, box)
    assert grid.shape == (box.height, box.width)
    assert grid.sum() == pytest.approx(CELLS.sum())


def test_the_grid_is_hot_where_the_cell_is() -> None:
    cells = np.zeros((16, 16))
    cells[3, 12] = 1.0
    row, column = np.unravel_index(contribution_grid(cells, WHOLE).argmax(), (128, 128))
    assert (int(row) // 8, int(column) // 8) == (3, 12)


def test_explanations_are_compared_without_their_grid() -> None:
    one, other = (ImageExplanation("i", "1.2", b"png", (), grid) for grid in (CELLS, None))
    assert one == other
