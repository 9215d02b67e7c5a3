"""What findings look like on a radiograph: each gives where it lies and how it changes the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from services.diagnosis.ward.anatomy import Chest, Field, Frame, Nuisance, bump, ellipse, ramp, wave
from services.diagnosis.ward.model import Findings

LESION_RANGES: dict[str, tuple[float, float]] = {
    "consolidation_side": (-1, 1), "consolidation_x": (-0.045, 0.045), "consolidation_y": (-0.05, 0.05),
    "consolidation_size": (0.095, 0.14), "consolidation_density": (0.6, 0.95),
    "oedema_density": (0.48, 0.8), "oedema_reach": (0.13, 0.19),
    "pneumothorax_side": (-1, 1), "pneumothorax_depth": (0.045, 0.12),
    "effusion_side": (-1, 1), "effusion_level": (0.07, 0.2), "effusion_level_other": (0.06, 0.14),
    "effusion_density": (0.8, 1),
    "band_y": (-0.025, 0.025), "band_tilt": (-0.3, 0.3), "band_bend": (-1.2, 1.2), "band_width": (0.009, 0.0135),
    "band_density": (0.5, 0.85),
    "line_side": (-1, 1), "line_tip": (-0.03, 0.03), "device_density": (0.25, 0.42),
}  # fmt: skip
"""Uniform ranges of where and how strongly a lesion shows."""


@dataclass(frozen=True)
class Lesion:
    """A change of brightness: towards `target` by `alpha`, plus `added`."""

    name: str
    alpha: Field
    target: float
    where: Field
    """The finding's mask is `where > 0.5`; what the heart hides is not in it."""
    added: Field | None = None
    clears_vessels: bool = False


def lesions(findings: Findings, chest: Chest, n: Nuisance, noise: Field) -> list[Lesion]:
    """The lesions of these findings in drawing order. `noise` is a smooth random field, mean 0, deviation 1."""
    return [
        draw(findings[name], chest, n, noise)
        for name, draw in _PAINTERS.items()
        if findings.get(name, "absent") != "absent"
    ]


def _sign(value: float) -> int:
    return -1 if value < 0 else 1


def _pneumothorax(_: str, chest: Chest, n: Nuisance, noise: Field) -> Lesion:
    side = _sign(n["pneumothorax_side"])
    depth = n["pneumothorax_depth"] * (1.25 - 0.9 * np.clip((chest.y - n["apex_y"]) / 0.6, 0, 1)) + 0.004 * noise
    line = np.minimum(chest.wall - depth - chest.off, chest.y - n["apex_y"] - 0.7 * depth)
    here = chest.lungs * (chest.side == side)
    air = here * ramp(-line, 0.008)
    edge = here * np.exp(-((line / 0.0045) ** 2))
    return Lesion("pneumothorax", 0.85 * air, 0.07, air, added=0.16 * edge, clears_vessels=True)


def _oedema(_: str, chest: Chest, n: Nuisance, noise: Field) -> Lesion:
    wings = bump(chest.off, 0.11, n["oedema_reach"]) * bump(chest.y, 0.46, 0.2)
    haze = chest.lungs * np.clip(wings * (1 + 0.16 * noise), 0, 1)
    septal = wave((chest.y + 0.12 * chest.off + 0.006 * noise) / 0.024)
    rim = ramp(chest.off - chest.wall + 0.045 + 0.015 * noise, 0.02) * ramp(chest.y - 0.5, 0.08)
    kerley = chest.lungs * ramp(septal - 0.62, 0.3) * rim
    return Lesion(
        "interstitial_oedema",
        n["oedema_density"] * haze,
        0.62,
        np.maximum(ramp(haze - 0.3, 0.05) * (1 - chest.heart), kerley),
        added=np.asarray(0.08 * kerley),
    )


def _consolidation(value: str, chest: Chest, n: Nuisance, noise: Field) -> Lesion:
    side = _sign(n["consolidation_side"])
    lower = value == "lower"
    centre = (0.19 + n["consolidation_x"], (0.55 + n["inspiration"] if lower else 0.27) + n["consolidation_y"])
    size = n["consolidation_size"]
    inside = ellipse(chest.off, chest.y, centre, (size * 0.95, size)) / np.float32(size)
    cloud = ramp(inside + 0.22 * noise, 0.55) * chest.lungs * (chest.side == side)
    patchy = np.clip(0.93 + 0.07 * noise, 0.6, 1)
    return Lesion("consolidation", n["consolidation_density"] * cloud * patchy, 0.66, cloud * (1 - chest.heart))


def _effusion(value: str, chest: Chest, n: Nuisance, noise: Field) -> Lesion:
    side = _sign(n["effusion_side"])
    first = _fluid(chest, n["effusion_level"], noise) * (chest.side == side)
    second = _fluid(chest, n["effusion_level_other"], noise) * (chest.side == -side) if value == "both_sides" else 0
    fluid = np.asarray(first + second, dtype=np.float32)
    seen = fluid * (1 - chest.heart)
    return Lesion("pleural_effusion", n["effusion_density"] * fluid, 0.70, seen, clears_vessels=True)


def _fluid(chest: Chest, level: float, noise: Field) -> Field:
    """Fluid up to a meniscus, which climbs along the chest wall and a little along the mediastinum."""
    lateral = np.clip((chest.off - 0.06) * np.float32(1 / 0.27), 0, 1)
    medial = 1 - lateral
    meniscus = 0.10 * lateral * lateral * lateral + 0.03 * medial * medial * medial
    top_of_dome = min(float(chest.dome.min()) + 0.06, 0.79)
    surface = np.float32(top_of_dome - level) - meniscus + 0.003 * noise
    return ramp(chest.y - surface, 0.03) * ramp(chest.inside + 0.012, 0.012)


def _band(value: str, chest: Chest, n: Nuisance, noise: Field) -> Lesion:
    side = 1 if value == "left" else -1
    along = chest.off - np.float32(0.2)
    base = n["dome_y"] + n["inspiration"] - 0.06
    centre = base + n["band_y"] + n["band_tilt"] * along + n["band_bend"] * along * along + 0.002 * noise
    ends = ramp(along + 0.105, 0.04) * ramp(0.115 - along, 0.04)
    across = (chest.y - centre) / np.float32(n["band_width"]) / (0.6 + 0.4 * ends)
    band = np.exp(-across * across) * ends * chest.lungs * (chest.side == side)
    return Lesion("basal_band", n["band_density"] * band, 0.6, ramp(band - 0.35, 0.1), added=0.18 * band)


_PAINTERS: dict[str, Callable[[str, Chest, Nuisance, Field], Lesion]] = {
    "interstitial_oedema": _oedema,
    "consolidation": _consolidation,
    "pleural_effusion": _effusion,
    "basal_band": _band,
    "pneumothorax": _pneumothorax,
}


def draw_device(value: str, frame: Frame, n: Nuisance) -> tuple[Field, NDArray[np.bool_]]:
    """Brightness added by a device, and where it lies; on the full image, because lines are thin."""
    canvas = Image.new("L", (frame.columns, frame.rows))
    draw = ImageDraw.Draw(canvas)
    width = max(1, round(frame.rows * 0.009))
    if value == "pacemaker":
        _pacemaker(draw, frame, n, width)
    else:
        side = _sign(n["line_side"])
        path = [
            (side * 0.30, 0.02),
            (side * 0.20, 0.09),
            (side * 0.09, 0.16),
            (-0.035, 0.24),
            (-0.04, 0.42 + n["line_tip"]),
        ]
        draw.line(frame.pixels(curve(path)), fill=200, width=width, joint="curve")
    soft = canvas.filter(ImageFilter.GaussianBlur(frame.rows / 900))
    near = canvas.filter(ImageFilter.GaussianBlur(frame.rows / 160))
    drawn = np.asarray(soft, dtype=np.float32) * np.float32(n["device_density"] / 255)
    return drawn, np.asarray(near) > 20


def _pacemaker(draw: ImageDraw.ImageDraw, frame: Frame, n: Nuisance, width: int) -> None:
    can = curve([(0.24, 0.172), (0.285, 0.163), (0.322, 0.185), (0.322, 0.228), (0.282, 0.25), (0.24, 0.238)], 6)
    draw.polygon(frame.pixels(can), fill=225)
    draw.polygon(frame.pixels([(0.236, 0.168), (0.262, 0.162), (0.262, 0.186), (0.236, 0.190)]), fill=255)
    tip = n["line_tip"]
    lead = [(0.24, 0.178), (0.15, 0.15), (0.05, 0.17), (-0.035, 0.27), (-0.045, 0.45), (0.0, 0.6), (0.1, 0.68 + tip)]
    draw.line(frame.pixels(curve(lead)), fill=210, width=width, joint="curve")


def curve(points: list[tuple[float, float]], steps: int = 10) -> list[tuple[float, float]]:
    """Catmull-Rom spline through the points."""
    padded = [points[0], *points, points[-1]]
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        p, q, r, s = (np.array(point) for point in (a, b, c, d))
        pieces.append(0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t**2 + (3 * q - p - 3 * r + s) * t**3))
    return [(float(x), float(y)) for x, y in np.concatenate([*pieces, np.array([points[-1]])])]
