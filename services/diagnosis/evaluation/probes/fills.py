"""What stands where patches of a radiograph were taken away."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]
Removed = NDArray[np.bool_]
Fill = Callable[[Removed], Pixels]
"""Removed patches [grid, grid] -> pixels."""

BLUR = 1 / 8
"""Deviation of the blur as a share of the longest side: no lesion survives it, exposure and outline do."""
_NOISE = 0.03
"""Deviation of the imputation's noise, about the grain of a radiograph."""


def cells_of(shape: tuple[int, ...], grid: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of patches for each row and column of pixels."""
    return np.arange(shape[0]) * grid // shape[0], np.arange(shape[1]) * grid // shape[1]


def blur_fill(pixels: Pixels, grid: int, seed: int) -> Fill:
    """The image itself, blurred beyond recognition (RISE, arXiv 1806.07421)."""
    from scipy.ndimage import gaussian_filter

    factor = max(1, max(pixels.shape) // 64)
    small = gaussian_filter(pixels[::factor, ::factor].astype(np.float32), max(pixels.shape) / factor * BLUR)
    return _replace_by(pixels, _enlarge(small, pixels.shape), grid)


def mean_fill(pixels: Pixels, grid: int, seed: int) -> Fill:
    """The image's own mean brightness."""
    return _replace_by(pixels, np.full(pixels.shape, pixels.mean(), np.float32), grid)


def road_fill(pixels: Pixels, grid: int, seed: int) -> Fill:
    """Noisy linear imputation (ROAD, arXiv 2202.00449): every missing value is the weighted mean of its neighbours.

    Direct neighbours weigh 1/6 and diagonal ones 1/12. It is solved for the means of the patches and enlarged, a
    thousand times cheaper than pixel by pixel and as smooth: the shape of what was removed does not give it away.
    """
    coarse = _shrink(pixels, grid)
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, _NOISE, pixels.shape).astype(np.float32)
    weights = _neighbour_weights(grid)

    def fill(removed: Removed) -> Pixels:
        imputed = _enlarge(_impute(coarse, removed, weights), pixels.shape)
        return _paste(pixels, np.clip(imputed + noise, 0, 1), removed)

    return fill


FILLS: dict[str, Callable[[Pixels, int, int], Fill]] = {"blur": blur_fill, "mean": mean_fill, "road": road_fill}


def _replace_by(pixels: Pixels, other: Pixels, grid: int) -> Fill:
    return lambda removed: _paste(pixels, other, removed)


def _paste(pixels: Pixels, other: Pixels, removed: Removed) -> Pixels:
    rows, columns = cells_of(pixels.shape, len(removed))
    return np.where(removed[np.ix_(rows, columns)], other, pixels).astype(np.float32)


def _impute(coarse: Pixels, missing: Removed, weights: NDArray[np.float64]) -> Pixels:
    gone = missing.ravel()
    if gone.all():
        return np.full_like(coarse, coarse.mean())
    values = coarse.ravel().astype(np.float64)
    own = weights[np.ix_(gone, gone)]
    known = weights[np.ix_(gone, ~gone)] @ values[~gone]
    values[gone] = np.linalg.solve(np.eye(len(own)) - own, known)
    return values.reshape(coarse.shape).astype(np.float32)


@cache
def _neighbour_weights(side: int) -> NDArray[np.float64]:
    """[side², side²], rows sum to 1; at the border the neighbours that exist share the weight."""
    weights = np.zeros((side, side, side, side))
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            if down or across:
                rows = np.arange(max(0, -down), min(side, side - down))
                columns = np.arange(max(0, -across), min(side, side - across))
                r, c = np.meshgrid(rows, columns, indexing="ij")
                weights[r, c, r + down, c + across] = 1 / 6 if down == 0 or across == 0 else 1 / 12
    flat = weights.reshape(side * side, side * side)
    return np.asarray(flat / flat.sum(1, keepdims=True))


def _shrink(pixels: Pixels, side: int) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(pixels, np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), np.float32)


def _enlarge(small: Pixels, shape: tuple[int, ...]) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(small, np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), np.float32)
