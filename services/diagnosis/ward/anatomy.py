"""Geometry of a normal frontal chest radiograph on a coordinate grid: body, lungs, heart, great vessels.

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

Field: TypeAlias = NDArray[np.float32]
Nuisance: TypeAlias = Mapping[str, float]
"""What varies without meaning anything; see `NUISANCE_RANGES` and `physique`."""

NUISANCE_RANGES: dict[str, tuple[float, float]] = {
    "aspect": (0, 1), "rotation_deg": (-3.0, 3.0), "scale": (0.92, 1.08),
    "shift_x": (-0.03, 0.03), "shift_y": (-0.02, 0.03), "chest_width": (0.315, 0.36), "apex_y": (0.085, 0.125),
    "dome_y": (0.655, 0.715), "dome_height": (0.045, 0.07), "inspiration": (-0.025, 0.025),
    "heart_size": (-1, 1), "heart_tilt_deg": (30, 48), "knob": (0.014, 0.026), "trunk": (0.006, 0.018),
    "trachea": (-0.006, 0.006), "calcification": (0, 1), "habitus": (0, 1),
    "rib_spacing": (0.062, 0.073), "rib_phase": (0, 1), "rib_slope": (0.75, 1.15), "rib_contrast": (0.03, 0.075),
    "clavicle_y": (0.13, 0.185), "clavicle_tilt": (-0.06, 0.06), "scapula": (-0.012, 0.012),
    "soft_tissue": (0.56, 0.68), "lung_density": (0.14, 0.24),
    "vessel_contrast": (0.10, 0.24), "vessel_pattern": (0, 1), "gastric_bubble": (0, 1), "bubble_x": (-0.03, 0.04),
    "breast": (0.3, 1), "breast_y": (-0.03, 0.05),
}  # fmt: skip
"""Uniform ranges of the anatomy's nuisance; the lesions' are in `lesions.py`, the machine's in `exposure.py`."""


def ramp(distance: NDArray[np.floating[Any]], softness: float) -> Field:
    """0 outside, 1 inside, smooth over `softness` around a signed distance of 0."""
    t: Field = np.multiply(distance, np.float32(1 / softness), dtype=np.float32)
    t += np.float32(0.5)
    np.clip(t, 0, 1, out=t)
    smooth: Field = np.float32(3) - np.float32(2) * t
    t *= t
    smooth *= t
    return smooth


def wave(cycles: NDArray[np.floating[Any]]) -> Field:
    """A cosine, 1 at every whole number of cycles."""
    return np.asarray(np.cos(np.float32(2 * np.pi) * cycles), dtype=np.float32)


def bump(values: NDArray[np.floating[Any]], centre: float, width: float) -> Field:
    """A bell of height 1."""
    t = (values - np.float32(centre)) * np.float32(1 / width)
    return np.asarray(np.exp(-t * t), dtype=np.float32)


def ellipse(
    x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float], tilt_deg: float = 0.0
) -> Field:
    """Approximate signed distance to an ellipse, positive inside."""
    cosine, sine = np.float32(np.cos(np.radians(tilt_deg))), np.float32(np.sin(np.radians(tilt_deg)))
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    if tilt_deg:
        dx, dy = dx * cosine + dy * sine, dy * cosine - dx * sine
    dx, dy = dx * np.float32(1 / radii[0]), dy * np.float32(1 / radii[1])
    return np.asarray((1 - np.sqrt(dx * dx + dy * dy)) * np.float32(min(radii)), dtype=np.float32)


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
    cubed = t * t * t
    wall = 0.115 + (width - 0.115) * np.sqrt(1 - t**2.1) + 0.05 * np.maximum(y - widest, 0)
    medial = 0.052 + 0.062 * cubed * cubed * cubed
    return wall.astype(np.float32), medial.astype(np.float32)


def _diaphragm(off: Field, side: Field, n: Nuisance, *, hyperinflated: bool) -> Field:
    top = n["dome_y"] + n["inspiration"] + (0.075 if hyperinflated else 0.0)
    height = n["dome_height"] * (0.22 if hyperinflated else 1.0)
    t = (off - np.float32(0.15)) * np.float32(1 / 0.14)
    return np.asarray(top + 0.012 * side + height * t * t, dtype=np.float32)


def _heart(x: Field, y: Field, n: Nuisance, *, narrow: bool, enlarged: bool) -> Field:
    half_width = (0.203 + 0.013 * n["heart_size"]) if enlarged else (0.136 + 0.011 * n["heart_size"])
    half_width = half_width * n["magnification"] - (0.014 if narrow else 0.0)
    drop = n["inspiration"] + (0.03 if narrow else 0.0)
    grown = half_width - 0.136
    middle = (0.055 + 0.25 * grown, 0.595 + drop)
    ventricle = ellipse(x, y, middle, (half_width * 1.12, 0.112 + 0.5 * grown), n["heart_tilt_deg"])
    atrium = ellipse(x, y, (-0.035, 0.575 + drop), (0.058 + 0.35 * grown, 0.125))
    return ramp(np.maximum(ventricle, atrium), 0.02)


def mediastinum(chest: Chest, n: Nuisance) -> Field:
    """Great vessels with the bulges of their left and right border, and hila."""
    off, y = chest.off, chest.y
    border = _border(chest, n)
    column = ramp(border - off, 0.014) * ramp(0.75 - y, 0.1)
    hila = np.float32(0.6) * ramp(ellipse(off, y + 0.012 * chest.side, (0.082, 0.425), (0.035, 0.065), -15), 0.05)
    return np.asarray(np.maximum(column, hila), dtype=np.float32)


def _border(chest: Chest, n: Nuisance) -> Field:
    """Distance from the midline of the mediastinum's border: aortic knob, pulmonary trunk; ascending aorta."""
    y, unfolded = chest.y, n["unfolding"]
    knob = (n["knob"] + 0.014 * unfolded) * bump(y, 0.29 - 0.012 * unfolded, 0.036)
    left = np.float32(0.054) + knob + np.float32(n["trunk"]) * bump(y, 0.395, 0.05) + 0.012 * ramp(0.2 - y, 0.1)
    right = np.float32(0.047) + (0.004 + 0.018 * unfolded) * bump(y, 0.36, 0.09) + 0.004 * ramp(0.3 - y, 0.2)
    return np.asarray(np.where(chest.side > 0, left, right), dtype=np.float32)


def trachea(chest: Chest, n: Nuisance) -> Field:
    """Air over the spine, down to the carina, pushed a little to the right by the aortic arch."""
    middle = np.float32(n["trachea"]) - 0.006 * bump(chest.y, 0.29, 0.06)
    return ramp(0.016 - np.abs(chest.x - middle), 0.014) * ramp(0.335 - chest.y, 0.04) * ramp(chest.y - 0.02, 0.05)


def calcification(chest: Chest, n: Nuisance) -> Field:
    """A thin bright rim within the aortic knob."""
    rim = bump(_border(chest, n) - chest.off, 0.007, 0.003) * (chest.side > 0)
    return np.asarray(rim * bump(chest.y, 0.282, 0.022), dtype=np.float32)


def body(chest: Chest, n: Nuisance) -> Field:
    """Soft tissue of neck, shoulders, arms and trunk, as overlapping thickness in [0, 1]."""
    off, y = chest.off, chest.y
    shoulder = np.clip((y - 0.03) / 0.16, 0, 1)
    outline = 0.10 + 0.36 * np.sqrt(shoulder * (2 - shoulder)) - 0.05 * np.clip((y - 0.25) / 0.3, 0, 1)
    outline += n["chest_width"] - 0.34 + n["girth"] * np.clip((y - 0.1) / 0.5, 0.3, 1)
    depth = np.clip((outline - off) / 0.09, 0, 1)
    return np.asarray(depth * (2 - depth), dtype=np.float32)


def breasts(chest: Chest, n: Nuisance) -> Field:
    """Soft shadow over the lower lung fields, denser towards its lower border."""
    shape = ellipse(chest.off, chest.y, (0.205, 0.585 + n["breast_y"]), (0.13, 0.125))
    return ramp(shape, 0.06) * (np.float32(0.6) + ramp(chest.y - 0.6 - n["breast_y"], 0.2)) * np.float32(n["breast"])


def stomach_bubble(chest: Chest, n: Nuisance) -> Field:
    """Air in the fundus, under the left dome."""
    bubble = ellipse(chest.x, chest.y, (0.14 + n["bubble_x"], n["dome_y"] + n["inspiration"] + 0.1), (0.06, 0.033), 12)
    return ramp(bubble, 0.035) * ramp(chest.y - chest.dome - 0.014, 0.012)
