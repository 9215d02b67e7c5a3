from __future__ import annotations

import numpy as np

from services.diagnosis.evaluation.probes.heat import heat_of
from services.diagnosis.inference.attribution.image import heatmap_png
from services.diagnosis.inference.prediction import ImageExplanation
from services.diagnosis.model.preprocessing.image import Letterbox

BOX = Letterbox(0, 0, 128, 128, 128)


def test_the_numbers_are_preferred_to_the_picture() -> None:
    grid = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(heat_of(ImageExplanation("i", "1.2", b"", (), grid)), grid)


def test_a_picture_alone_still_tells_where_and_which_way() -> None:
    cells = np.zeros((16, 16))
    cells[2, 3], cells[12, 10] = 1.0, -0.8
    picture = heatmap_png(cells, BOX, strongest=1.0)
    heat = heat_of(ImageExplanation("i", "1.2", picture, ()))
    scale = heat.shape[0] // 16
    for place, expected in ((heat.argmax(), (2, 3)), (heat.argmin(), (12, 10))):
        row, column = np.unravel_index(int(place), heat.shape)
        assert (int(row) // scale, int(column) // scale) == expected
