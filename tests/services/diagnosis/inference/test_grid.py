from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.grid import shrink_grid


@pytest.mark.parametrize(("shape", "expected"), [((128, 96), (16, 12)), ((100, 128), (12, 16)), ((7, 5), (7, 5))])
def test_a_shrunk_grid_keeps_sum_and_aspect(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    grid = np.random.default_rng(0).normal(size=shape)
    small = shrink_grid(grid)
    assert small.shape == expected
    assert small.sum() == pytest.approx(grid.sum(), abs=1e-3)


def test_the_lower_left_of_the_image_stays_lower_left() -> None:
    grid = np.zeros((128, 96))
    grid[120:, :8] = 1 / 64
    row, column = np.unravel_index(shrink_grid(grid).argmax(), (16, 12))
    assert (int(row), int(column)) == (15, 0)
