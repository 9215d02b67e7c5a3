"""Branching lung markings, drawn once a process as a bank of random trees."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from services.diagnosis.ward.anatomy import Chest, Field, Nuisance, ramp


def vessels(chest: Chest, n: Nuisance) -> Field:
    """The markings of one chest: one tree of the bank, mirrored at random, fading towards the wall."""
    bank = _bank(chest.x.shape[0])
    index = int(n["vessel_pattern"] * 2 * len(bank))
    tree = bank[index % len(bank)]
    size = tree.shape[0]
    rows = np.clip((chest.y * size).astype(np.int32), 0, size - 1)
    lateral = np.clip(((chest.x + 0.5) * size).astype(np.int32), 0, size - 1)
    if index >= len(bank):
        lateral = size - 1 - lateral
    fading = 1.15 - 0.9 * ramp(chest.off - 0.19, 0.24)
    return np.asarray(tree[rows, lateral] * fading)


@lru_cache(maxsize=4)
def _bank(size: int, count: int = 12) -> tuple[Field, ...]:
    rng = np.random.default_rng(20260115)
    return tuple(_tree(size, rng) for _ in range(count))


def _tree(size: int, rng: np.random.Generator) -> Field:
    scale = 2 * size
    canvas = Image.new("L", (scale, scale))
    draw = ImageDraw.Draw(canvas)
    for side in (-1, 1):
        for angle in np.linspace(-80, 85, 11) + rng.uniform(-8, 8, 11):
            _branch(draw, rng, scale, (0.5 + side * 0.07, 0.42), side, float(angle), 0.011, 0)
    smooth = canvas.resize((size, size), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(size / 400))
    return np.asarray(np.asarray(smooth) / 255, dtype=np.float32)


def _branch(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, scale: int, start: tuple[float, float], side: int,
    angle: float,
    width: float, depth: int,
) -> None:  # fmt: skip
    """Grow one vessel of 4 bends, then fork in two, five generations at most."""
    x, y = start
    for _ in range(4):
        step = rng.uniform(0.014, 0.026)
        angle += rng.normal(0, 9)
        end = (x + side * step * np.cos(np.radians(angle)), y + step * np.sin(np.radians(angle)))
        shade = int(255 * min(1.0, 0.25 + width / 0.012))
        draw.line(
            [(x * scale, y * scale), (end[0] * scale, end[1] * scale)], fill=shade, width=max(1, round(width * scale))
        )
        x, y = end
    if depth < 4:
        for turn in (-1, 1):
            _branch(draw, rng, scale, (x, y), side, angle + turn * rng.uniform(12, 32), width * 0.68, depth + 1)
