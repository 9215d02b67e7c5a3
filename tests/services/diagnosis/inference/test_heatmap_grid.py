from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.attribution.image import contribution_grid, spread
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


@pytest.mark.parametrize("cell", [(3, 12), (0, 0), (15, 7)])
def test_a_cell_shares_with_its_neighbours_and_nothing_is_lost(cell: tuple[int, int]) -> None:
    cells = np.zeros((16, 16))
    cells[cell] = 2.0
    shared = spread(cells)
    assert shared.sum() == pytest.approx(2.0)
    assert tuple(int(i) for i in np.unravel_index(shared.argmax(), shared.shape)) == cell
    assert shared.max() < 1


def test_explanations_are_compared_without_their_grid() -> None:
    one, other = (ImageExplanation("i", "1.2", b"png", (), grid) for grid in (CELLS, None))
    assert one == other
