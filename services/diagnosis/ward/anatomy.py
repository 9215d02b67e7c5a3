"""Geometry of a normal frontal chest radiograph on a coordinate grid: body, lungs, heart, skeleton, vessels.

Coordinates: y in [0, 1] from the top, x in units of the image's height with 0 at the midline; x > 0 is the patient's
left side, the right half of the image. All fields are float32 [rows, columns] in [0, 1] with soft edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Field: TypeAlias = NDArray[np.float32]
Nuisance: TypeAlias = Mapping[str, float]
"""What varies without meaning anything; see `NUISANCE_RANGES`."""

NUISANCE_RANGES: dict[str, tuple[float, float]] = {
    "aspect": (0, 1), "rotation_deg": (-3.0, 3.0), "scale": (0.92, 1.08),
    "shift_x": (-0.03, 0.03), "shift_y": (-0.02, 0.03), "chest_width": (0.315, 0.36), "apex_y": (0.085, 0.125),
    "dome_y": (0.655, 0.715), "dome_height": (0.045, 0.07), "inspiration": (-0.025, 0.025),
    "heart_size": (-1, 1), "heart_tilt_deg": (30, 48), "knob": (0.026, 0.042),
    "rib_spacing": (0.062, 0.073), "rib_phase": (0, 1), "rib_slope": (0.75, 1.15), "rib_contrast": (0.03, 0.075),
    "clavicle_y": (0.13, 0.185), "soft_tissue": (0.56, 0.68), "lung_density": (0.14, 0.24),
    "vessel_contrast": (0.10, 0.24), "vessel_pattern": (0, 1), "gastric_bubble": (0, 1), "breast": (0.3, 1),
    "gamma": (0.8, 1.25), "exposure": (0.9, 1.1), "brightness": (-0.04, 0.04), "vignette": (-0.08, 0.08),
    "noise": (0.006, 0.028), "marker": (0, 1), "electrodes": (0, 1),
}  # fmt: skip
"""Uniform ranges of the anatomy's and the exposure's nuisance; the lesions' are in `lesions.py`."""


def ramp(distance: NDArray[np.floating[Any]], softness: float) -> Field:
    """0 outside, 1 inside, smooth over `softness` around a signed distance of 0."""
    t = np.clip(distance / softness + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def wave(cycles: NDArray[np.floating[Any]]) -> Field:
    """A cosine, 1 at every whole number of cycles."""
    return np.asarray(np.cos(np.float32(2 * np.pi) * cycles), dtype=np.float32)


def ellipse(
    x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float], tilt_deg: float = 0.0
) -> Field:
    """Approximate signed distance to an ellipse, positive inside."""
    cosine, sine = np.float32(np.cos(np.radians(tilt_deg))), np.float32(np.sin(np.radians(tilt_deg)))
    dx, dy = x - centre[0], y - centre[1]
    u, v = (dx * cosine + dy * sine) / radii[0], (dy * cosine - dx * sine) / radii[1]
    return np.asarray((1 - np.sqrt(u * u + v * v)) * min(radii), dtype=np.float32)


@dataclass(frozen=True)
class Frame:
    """The pose of the patient in the image: pixel <-> anatomical coordinates."""

    rows: int
    columns: int
    rotation_deg: float
    scale: float
    shift: tuple[float, float]

    def grid(self) -> tuple[Field, Field]:
        """Anatomical x and y of every pixel centre."""
        x, y = _unit_grid(self.rows, self.columns)
        cosine, sine = (
            np.float32(np.cos(np.radians(self.rotation_deg))),
            np.float32(np.sin(np.radians(self.rotation_deg))),
        )
        x, y = (x - self.shift[0]) / self.scale, (y - 0.5 - self.shift[1]) / self.scale
        return (x * cosine + y * sine).astype(np.float32), (y * cosine - x * sine + 0.5).astype(np.float32)

    def pixels(self, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """(column, row) of anatomical points."""
        cosine, sine = np.cos(np.radians(self.rotation_deg)), np.sin(np.radians(self.rotation_deg))
        placed = []
        for x, y in points:
            u, v = x * cosine - (y - 0.5) * sine, x * sine + (y - 0.5) * cosine
            u, v = u * self.scale + self.shift[0], v * self.scale + self.shift[1] + 0.5
            placed.append((float(u * self.rows + self.columns / 2 - 0.5), float(v * self.rows - 0.5)))
        return placed


@lru_cache(maxsize=16)
def _unit_grid(rows: int, columns: int) -> tuple[Field, Field]:
    y = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None]
    x = ((np.arange(columns, dtype=np.float32) + 0.5 - columns / 2) / rows)[None, :]
    return np.broadcast_to(x, (rows, columns)), np.broadcast_to(y, (rows, columns))


@dataclass
class Chest:
    """The normal chest of one patient on one grid, before any lesion but the shapes that findings change."""

    x: Field
    y: Field
    side: Field
    """-1 on the patient's right (image left), +1 on the left."""
    off: Field
    """Distance from the midline."""
    wall: Field
    """Distance from the midline at which the lung meets the chest wall, per pixel."""
    dome: Field
    """y of the diaphragm, per pixel."""
    inside: Field
    """Distance to the nearest border of the lung, positive inside."""
    lungs: Field
    heart: Field


def build_chest(frame: Frame, n: Nuisance, *, hyperinflated: bool, enlarged_heart: bool) -> Chest:
    """Place lungs and heart."""
    x, y = frame.grid()
    off = np.abs(x)
    side = np.where(x < 0, np.float32(-1), np.float32(1))
    apex = n["apex_y"] - (0.015 if hyperinflated else 0.0)
    wall, medial = _lung_walls(y, n, apex, hyperinflated=hyperinflated)
    dome = _diaphragm(off, side, n, hyperinflated=hyperinflated)
    inside = np.minimum(np.minimum(off - medial, wall - off), np.minimum(dome - y, y - apex))
    return Chest(
        x,
        y,
        side,
        off,
        wall,
        dome,
        inside,
        ramp(inside, 0.012),
        _heart(x, y, n, narrow=hyperinflated, enlarged=enlarged_heart),
    )


def _lung_walls(y: Field, n: Nuisance, apex: float, *, hyperinflated: bool) -> tuple[Field, Field]:
    widest = 0.60
    width = n["chest_width"] + (0.012 if hyperinflated else 0.0)
    t = np.clip((widest - y) / (widest - apex), 0, 1)
    wall = 0.115 + (width - 0.115) * np.sqrt(1 - t**2.1) + 0.05 * np.maximum(y - widest, 0)
    medial = 0.052 + 0.062 * t**9
    return wall.astype(np.float32), medial.astype(np.float32)


def _diaphragm(off: Field, side: Field, n: Nuisance, *, hyperinflated: bool) -> Field:
    top = n["dome_y"] + n["inspiration"] + (0.075 if hyperinflated else 0.0)
    height = n["dome_height"] * (0.22 if hyperinflated else 1.0)
    return np.asarray(top + 0.012 * side + height * ((off - 0.15) / 0.14) ** 2, dtype=np.float32)


def _heart(x: Field, y: Field, n: Nuisance, *, narrow: bool, enlarged: bool) -> Field:
    half_width = (0.192 + 0.014 * n["heart_size"]) if enlarged else (0.136 + 0.011 * n["heart_size"])
    half_width -= 0.014 if narrow else 0.0
    drop = 0.03 if narrow else 0.0
    grown = half_width - 0.136
    middle = (0.055 + 0.25 * grown, 0.595 + drop)
    ventricle = ellipse(x, y, middle, (half_width * 1.12, 0.112 + 0.5 * grown), n["heart_tilt_deg"])
    atrium = ellipse(x, y, (-0.035, 0.575 + drop), (0.058 + 0.35 * grown, 0.125))
    return ramp(np.maximum(ventricle, atrium), 0.02)


def mediastinum(chest: Chest, n: Nuisance) -> Field:
    """Great vessels, aortic knob, pulmonary trunk, hila."""
    x, y = chest.x, chest.y
    column = ramp(0.05 + 0.012 * wave(1.43 * y - 0.25) - chest.off, 0.02) * ramp(0.75 - y, 0.1)
    knob = ramp(ellipse(x, y, (0.052, 0.285), (n["knob"], n["knob"] * 1.1)), 0.014)
    trunk = ramp(ellipse(x, y, (0.055, 0.40), (0.034, 0.05)), 0.02)
    hila = np.float32(0.6) * ramp(ellipse(chest.off, y + 0.012 * chest.side, (0.082, 0.425), (0.035, 0.065), -15), 0.05)
    return np.asarray(np.maximum(np.maximum(column, knob), np.maximum(trunk, hila)), dtype=np.float32)


def skeleton(chest: Chest, n: Nuisance) -> Field:
    """Posterior and anterior ribs, clavicles and spine as brightness to add, already scaled."""
    off, y = chest.off, chest.y
    cage = ramp(chest.wall + 0.022 - off, 0.02) * ramp(y - n["apex_y"] + 0.02, 0.03) * ramp(chest.dome + 0.12 - y, 0.16)
    phase = (y - n["rib_slope"] * off * off) / n["rib_spacing"] + n["rib_phase"]
    back = wave(phase)
    posterior = ramp(back - 0.25, 0.5) - 0.35 * ramp(back - 0.75, 0.4)
    front = wave((y + 0.42 * off) / (1.22 * n["rib_spacing"]) + n["rib_phase"] * 2)
    anterior = ramp(front - 0.45, 0.5) * ramp(off - 0.12, 0.1) * ramp(y - 0.2, 0.08)
    bones = n["rib_contrast"] * cage * (posterior + 0.45 * anterior)
    scapulae = 0.035 * ramp(ellipse(off, y, (0.315, 0.30), (0.045, 0.13), 14), 0.03)
    return np.asarray(bones + scapulae + _clavicles(chest, n) + _spine(chest, n), dtype=np.float32)


def _clavicles(chest: Chest, n: Nuisance) -> Field:
    off = chest.off
    centre = n["clavicle_y"] + 0.035 * np.cos((off - 0.04) * 11) - 0.14 * off
    thickness = 0.013 + 0.012 * np.exp(-(((off - 0.04) / 0.035) ** 2))
    bone = ramp(thickness - np.abs(chest.y - centre), 0.009) - 0.3 * ramp(
        thickness * 0.55 - np.abs(chest.y - centre), 0.012
    )
    return np.asarray(0.11 * bone * ramp(off - 0.025, 0.01) * ramp(0.36 - off, 0.03), dtype=np.float32)


def _spine(chest: Chest, n: Nuisance) -> Field:
    vertebrae = 0.75 + 0.25 * wave(chest.y / (0.92 * n["rib_spacing"]))
    return np.asarray(0.055 * ramp(0.036 - chest.off, 0.014) * vertebrae, dtype=np.float32)


def body(chest: Chest, n: Nuisance) -> Field:
    """Soft tissue of neck, shoulders, arms and trunk, as overlapping thickness in [0, 1]."""
    off, y = chest.off, chest.y
    shoulder = np.clip((y - 0.03) / 0.16, 0, 1)
    outline = 0.10 + 0.36 * np.sqrt(shoulder * (2 - shoulder)) - 0.05 * np.clip((y - 0.25) / 0.3, 0, 1)
    outline += n["chest_width"] - 0.34
    depth = np.clip((outline - off) / 0.09, 0, 1)
    return np.asarray(depth * (2 - depth), dtype=np.float32)


def breasts(chest: Chest, n: Nuisance) -> Field:
    """Soft shadow over the lower lung fields."""
    return ramp(ellipse(chest.off, chest.y, (0.21, 0.60), (0.13, 0.12)), 0.06) * np.float32(0.07 * n["breast"])


def vessels(chest: Chest, n: Nuisance) -> Field:
    """Branching lung markings: one of a fixed bank of random trees, mirrored at random."""
    bank = _vessel_bank(chest.x.shape[0])
    index = int(n["vessel_pattern"] * 2 * len(bank))
    tree = bank[index % len(bank)]
    rows = np.clip((chest.y * tree.shape[0]).astype(np.int32), 0, tree.shape[0] - 1)
    lateral = np.clip(((chest.x + 0.5) * tree.shape[0]).astype(np.int32), 0, tree.shape[0] - 1)
    if index >= len(bank):
        lateral = tree.shape[0] - 1 - lateral
    fading = 1.15 - 0.9 * ramp(chest.off - 0.19, 0.24)
    return np.asarray(tree[rows, lateral] * fading)


@lru_cache(maxsize=4)
def _vessel_bank(size: int, count: int = 12) -> tuple[Field, ...]:
    rng = np.random.default_rng(20260115)
    return tuple(_vessel_tree(size, rng) for _ in range(count))


def _vessel_tree(size: int, rng: np.random.Generator) -> Field:
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
