"""From the patient's shadow to the scanner's picture: processing, tone, noise, collimation."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from services.diagnosis.ward.anatomy import Field, Nuisance
from services.diagnosis.ward.scanners import Look

EXPOSURE_RANGES: dict[str, tuple[float, float]] = {
    "gamma": (0, 1), "noise": (0, 1), "exposure": (0.9, 1.1), "brightness": (-0.04, 0.04), "vignette": (-0.08, 0.08),
    "grid_phase": (0, 1),
    "collimated": (0, 1), "border_top": (0, 1), "border_bottom": (0, 1), "border_left": (0, 1), "border_right": (0, 1),
}  # fmt: skip
"""Uniform ranges, as `anatomy.NUISANCE_RANGES`; gamma, noise and borders are places within the look's own ranges."""
COARSE = 1 / 10
"""Side of the areas whose mean brightness equalisation draws together, as a share of the image's."""


def open_field(n: Nuisance, look: Look, rows: int, columns: int) -> tuple[slice, slice]:
    """Rows and columns that the collimator leaves open."""
    if n["collimated"] > look.collimated:
        return slice(0, rows), slice(0, columns)
    low, high = look.border
    top, bottom, left, right = (
        round((low + (high - low) * n[f"border_{edge}"]) * rows) for edge in ("top", "bottom", "left", "right")
    )
    return slice(top, rows - bottom), slice(left, columns - right)


def expose(shadow: Field, n: Nuisance, look: Look, rng: np.random.Generator) -> Field:
    """The scanner's picture of a shadow [rows, columns]; the noise is all that is random."""
    picture = _sharpness(_equalise(shadow, look.equalisation), look)
    picture = _tone(picture, n, look)
    picture += _noise(picture, n, look, rng)
    if look.grid_lines:
        cycles = np.arange(picture.shape[0], dtype=np.float32) / np.float32(3.3) + np.float32(n["grid_phase"])
        picture += (np.float32(look.grid_lines) * np.cos(np.float32(2 * np.pi) * cycles))[:, None]
    return picture


def _equalise(shadow: Field, strength: float) -> Field:
    """Take a share of the coarse differences away, as dynamic range compression does; air stays dark."""
    if not strength:
        return shadow
    coarse = _coarse(shadow, round(1 / COARSE), round(1 / COARSE)) - np.float32(0.45)
    return np.asarray(shadow - np.float32(strength) * coarse * np.clip(shadow * 4, 0, 1))


def _sharpness(picture: Field, look: Look) -> Field:
    """Edge enhancement, then the detector's blur."""
    rows, columns = picture.shape
    if look.edges:
        smooth = _coarse(picture, rows // 4, columns // 4)
        picture = picture + np.float32(look.edges) * (picture - smooth)
    sigma = look.blur_px * rows / 512
    return np.asarray(gaussian_filter(picture, sigma, truncate=2.5)) if sigma >= 0.3 else picture


def _tone(picture: Field, n: Nuisance, look: Look) -> Field:
    """Heel effect, exposure, and the tone curve: a power, then an S."""
    low, high = look.gamma
    heel = np.linspace(1 - n["vignette"], 1 + n["vignette"], picture.shape[1], dtype=np.float32)
    toned = np.clip(picture * heel, 0, 1.4) ** np.float32(low + (high - low) * n["gamma"])
    toned *= np.float32(n["exposure"] * 1.12)
    if look.contrast:
        bent = np.clip(toned, 0, 1)
        toned += np.float32(2 * look.contrast) * bent * (1 - bent) * (bent - np.float32(0.5))
    toned += np.float32(n["brightness"])
    return np.asarray(toned)


def _noise(picture: Field, n: Nuisance, look: Look, rng: np.random.Generator) -> Field:
    """Quantum noise: more where fewer photons arrive, which is where the picture is bright."""
    low, high = look.noise
    deviation = np.float32((low + (high - low) * n["noise"]) * (1 + n["scatter"]))
    rows, columns = picture.shape
    grain = _white(rng, rows, columns)
    if look.grain:
        coarse = Image.fromarray(_white(rng, rows // 2, columns // 2))
        enlarged = np.asarray(coarse.resize((columns, rows), Image.Resampling.BILINEAR))
        # Bilinear doubling leaves 25/64 of the variance: 5/8 along each axis.
        grain *= np.float32(np.sqrt(1 - look.grain))
        grain += np.float32(np.sqrt(look.grain * 64 / 25)) * enlarged
    weight = np.clip(picture, 0, 1)
    weight *= np.float32(0.8) * deviation
    weight += np.float32(0.6) * deviation
    grain *= weight
    return grain


def _white(rng: np.random.Generator, rows: int, columns: int) -> Field:
    """Uncorrelated noise, mean 0, deviation 1: sums of three uniform bytes, a third of the time of exact normals."""
    size = rows * columns
    uniform = np.frombuffer(rng.bytes(3 * size), dtype=np.uint8).reshape(3, rows, columns)
    total: Field = uniform[0].astype(np.float32)
    total += uniform[1]
    total += uniform[2]
    total -= np.float32(3 * 127.5)
    total *= np.float32(1 / np.sqrt(3 * (256**2 - 1) / 12))
    return total


def _coarse(picture: Field, rows: int, columns: int) -> Field:
    """The means over areas, enlarged again smoothly."""
    small = Image.fromarray(picture).resize((max(columns, 1), max(rows, 1)), Image.Resampling.BOX)
    return np.asarray(small.resize((picture.shape[1], picture.shape[0]), Image.Resampling.BICUBIC))
