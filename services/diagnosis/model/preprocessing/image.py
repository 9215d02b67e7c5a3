"""From a rendered radiograph to the square the image encoder expects, and back to the original's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Letterbox:
    """Where the image lies inside the square, in the square's pixels."""

    left: int
    top: int
    width: int
    height: int
    side: int


def letterbox(pixels: Pixels, side: int) -> tuple[Pixels, Letterbox]:
    """Scale the whole image into a square, antialiased and centred, on black.

    Args:
        pixels: [height, width] in [0, 1], air dark.
    Returns: [side, side] float32 in [0, 1], contrast stretched between its 1st and 99th percentile; where it lies.
    """
    height, width = pixels.shape
    scale = side / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    small = resize(pixels, new_width, new_height)
    box = Letterbox((side - new_width) // 2, (side - new_height) // 2, new_width, new_height, side)
    square = np.zeros((side, side), np.float32)
    square[box.top : box.top + new_height, box.left : box.left + new_width] = stretch(small)
    return square, box


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Antialiased bilinear scaling."""
    if pixels.shape == (height, width):
        return pixels.astype(np.float32, copy=False)
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)


def stretch(pixels: Pixels) -> Pixels:
    """Contrast between the 1st and 99th percentile, so that the display window of a site does not matter."""
    low, high = np.percentile(pixels, (1, 99))
    if high - low < 1e-6:
        return np.zeros_like(pixels, dtype=np.float32)
    return np.asarray(np.clip((pixels - low) / (high - low), 0, 1), np.float32)


def to_original(box: Letterbox, cells: tuple[float, float, float, float], rows: int, columns: int) -> tuple[float, ...]:
    """(left, top, right, bottom) in the square -> (x, y, width, height) in the original matrix, clipped to it."""
    x_scale, y_scale = columns / box.width, rows / box.height
    left = min(max((cells[0] - box.left) * x_scale, 0.0), columns)
    top = min(max((cells[1] - box.top) * y_scale, 0.0), rows)
    right = min(max((cells[2] - box.left) * x_scale, 0.0), columns)
    bottom = min(max((cells[3] - box.top) * y_scale, 0.0), rows)
    return left, top, right - left, bottom - top


def image_statistics(square: Pixels) -> NDArray[np.float64]:
    """Plain statistics of tone and texture: what a small network may ignore and what gives a stranger away.

    Returns: [22]: seven quantiles, mean of the thirds both ways, gradient energy at three scales, symmetry, entropy,
        deviation.
    """
    tones = np.quantile(square, (0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95))
    side = len(square)
    thirds = [square[i * side // 3 : (i + 1) * side // 3] for i in range(3)]
    columns = [square[:, i * side // 3 : (i + 1) * side // 3] for i in range(3)]
    blocks = [float(part.mean()) for part in thirds + columns]
    symmetry = float(np.abs(square - square[:, ::-1]).mean())
    counts = np.bincount((square * 31.999).astype(int).ravel(), minlength=32) / square.size
    entropy = float(-(counts[counts > 0] * np.log(counts[counts > 0])).sum())
    return np.array([*tones, *blocks, *_gradient_energy(square), symmetry, entropy, float(square.std())], np.float64)


def _gradient_energy(square: Pixels) -> list[float]:
    energies = []
    for step in (1, 2, 4):
        down = np.log(np.abs(square[step:] - square[:-step]).mean() + 1e-4)
        across = np.log(np.abs(square[:, step:] - square[:, :-step]).mean() + 1e-4)
        energies += [float(down), float(across)]
    return energies
