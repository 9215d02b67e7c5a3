"""A heat map as data, small enough to stand in a result. Knows neither torch nor pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONGEST = 16
"""Cells along the longer side: as fine as the image encoder sees."""
_DECIMALS = 6

Array = NDArray[np.float64]


def shrink_grid(grid: Array) -> Array:
    """Sums over blocks of a grid [height, width], at most LONGEST a side; the sum and the orientation stay."""
    height, width = grid.shape
    factor = min(1.0, LONGEST / max(height, width))
    rows, columns = (_edges(size, max(1, round(size * factor))) for size in (height, width))
    return np.asarray(np.add.reduceat(np.add.reduceat(grid, rows, axis=0), columns, axis=1).round(_DECIMALS))


def _edges(size: int, count: int) -> NDArray[np.int64]:
    """First index of each of `count` blocks of `size` elements."""
    return np.arange(count) * size // count
