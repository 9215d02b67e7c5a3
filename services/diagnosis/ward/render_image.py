"""The radiograph: findings and nuisance in, brightness and one mask per finding out. The diagnosis is not an argument.

Shapes are computed on a grid of at most 256 rows and enlarged; devices, markers and noise are drawn at full size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.diagnosis.ward import anatomy
from services.diagnosis.ward.anatomy import NUISANCE_RANGES, Chest, Field, Frame, Nuisance
from services.diagnosis.ward.exposure import EXPOSURE_RANGES, expose, open_field
from services.diagnosis.ward.hardware import HARDWARE_RANGES, draw_hardware, stamp_marker
from services.diagnosis.ward.lesions import LESION_RANGES, Lesion, draw_device, lesions
from services.diagnosis.ward.model import Findings
from services.diagnosis.ward.physique import physique
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.scanners import ANY_SCANNER, UPRIGHT, Scanner, View
from services.diagnosis.ward.skeleton import skeleton
from services.diagnosis.ward.vessels import vessels

GRID = 256
ASPECTS = (0.82, 0.875, 0.9375, 1.0)
"""Width by height; few, so that coordinate grids are shared."""
RANGES = NUISANCE_RANGES | EXPOSURE_RANGES | HARDWARE_RANGES | LESION_RANGES


@dataclass(frozen=True)
class Radiograph:
    """A rendered radiograph before it becomes integers."""

    brightness: Field
    """[rows, columns]; air dark, 0 to 1 is what a good window shows, some pixels lie beyond."""
    masks: dict[str, NDArray[np.bool_]]
    """Finding -> where it shows, on the same grid."""


def draw_nuisance(rng: np.random.Generator) -> Nuisance:
    """All of an image's nuisance, one uniform each in a fixed order, so that findings change nothing else."""
    return {
        name: low + (high - low) * u
        for (name, (low, high)), u in zip(RANGES.items(), rng.random(len(RANGES)).tolist(), strict=True)
    }


def image_shape(n: Nuisance, side: int) -> tuple[int, int]:
    """Rows and columns; the rows are `side`, the columns at most that."""
    factor = _factor(side)
    return side, factor * round(ASPECTS[int(n["aspect"] * len(ASPECTS))] * side / factor)


def render_image(
    findings: Findings,
    rng: np.random.Generator,
    *,
    side: int,
    person: Person = ANYONE,
    scanner: Scanner = ANY_SCANNER,
    view: View = UPRIGHT,
) -> Radiograph:
    """Draw one frontal chest radiograph.

    Args:
        side: rows of the image; a multiple of ceil(side / 256).
    """
    n = physique(draw_nuisance(rng), person, view)
    rows, columns = image_shape(n, side)
    factor = _factor(side)
    small, full = (_frame(n, rows // f, columns // f) for f in (factor, 1))
    texture = _smooth_noise(rng, small.rows, small.columns)
    chest = _chest(findings, small, n)
    drawn = lesions(findings, chest, n, texture)
    shadow = _enlarge(_compose(chest, n, drawn, texture), rows, columns)
    seen = _lesion_masks(drawn) | _shape_masks(findings, chest)
    masks = {name: _enlarge_mask(mask, factor) for name, mask in seen.items()}
    if findings["device"] != "absent":
        added, masks["device"] = draw_device(findings["device"], full, n)
        shadow += added
    shadow += draw_hardware(full, n, person, view)
    picture = expose(shadow, n, scanner.look, rng)
    field = open_field(n, scanner.look, rows, columns)
    stamp_marker(picture, scanner.look.marker, view, n, field)
    return Radiograph(_collimate(picture, field), {name: _within(mask, field) for name, mask in masks.items()})


def _collimate(picture: Field, field: tuple[slice, slice]) -> Field:
    """Black outside the open field."""
    rows, columns = field
    picture[: rows.start], picture[rows.stop :] = 0, 0
    picture[:, : columns.start], picture[:, columns.stop :] = 0, 0
    return picture


def _within(mask: NDArray[np.bool_], field: tuple[slice, slice]) -> NDArray[np.bool_]:
    inside = np.zeros_like(mask)
    inside[field] = mask[field]
    return inside


def _factor(side: int) -> int:
    return -(-side // GRID)


def _frame(n: Nuisance, rows: int, columns: int) -> Frame:
    return Frame(rows, columns, n["rotation_deg"], n["scale"], (n["shift_x"], n["shift_y"]))


def _chest(findings: Findings, frame: Frame, n: Nuisance) -> Chest:
    return anatomy.build_chest(
        frame,
        n,
        hyperinflated=findings["hyperinflation"] != "absent",
        enlarged_heart=findings["cardiomegaly"] != "absent",
    )


def _compose(chest: Chest, n: Nuisance, drawn: list[Lesion], texture: Field) -> Field:
    """Soft tissue, lungs, vessels, heart, lesions, bones: brightness in the order a beam would add them up."""
    body = anatomy.body(chest, n)
    image = (np.float32(n["soft_tissue"]) + 0.02 * texture + 0.05 * anatomy.ramp(chest.y - chest.dome, 0.1)) * body
    image += chest.lungs * (n["lung_density"] + 0.06 * chest.y + 0.012 * texture - image)
    image += np.float32(n["vessel_contrast"]) * vessels(chest, n) * chest.lungs * _unclear(drawn)
    if n["breast"] > 0.005:
        image += anatomy.breasts(chest, n)
    if n["gastric_bubble"] > 0.45:
        image -= 0.15 * anatomy.stomach_bubble(chest, n)
    centre = np.maximum(chest.heart * anatomy.ramp(chest.dome + 0.05 - chest.y, 0.06), anatomy.mediastinum(chest, n))
    image += 0.93 * centre * np.maximum(0.69 - image, 0)
    image -= 0.11 * anatomy.trachea(chest, n) * body
    for lesion in drawn:
        image += lesion.alpha * (lesion.target - image)
        if lesion.added is not None:
            image += lesion.added
    if n["rim"] > 0.02:
        image += np.float32(0.25 * n["rim"]) * anatomy.calcification(chest, n)
    image += skeleton(chest, n) * body
    # Tissue before the lungs adds to everything behind it; scattered light takes contrast away.
    image += np.float32(n["veil"]) * body
    image += np.float32(n["scatter"]) * body * (0.5 - image)
    return np.asarray(image, dtype=np.float32)


def _unclear(drawn: list[Lesion]) -> Field | np.float32:
    """1 where vessels show, 0 where a lesion has cleared them away."""
    clear: Field | np.float32 = np.float32(1)
    for lesion in drawn:
        if lesion.clears_vessels:
            clear = clear * (1 - lesion.where)
    return clear


def _lesion_masks(drawn: list[Lesion]) -> dict[str, NDArray[np.bool_]]:
    """Where each lesion shows: fluid and free air hide what was drawn before them. A hidden one's mask is empty."""
    return {
        lesion.name: np.asarray(lesion.where * _unclear(drawn[position + 1 :]) > 0.5)
        for position, lesion in enumerate(drawn)
    }


def _shape_masks(findings: Findings, chest: Chest) -> dict[str, NDArray[np.bool_]]:
    """Findings that are a changed shape rather than something added."""
    masks: dict[str, NDArray[np.bool_]] = {}
    if findings["hyperinflation"] != "absent":
        masks["hyperinflation"] = chest.lungs > 0.5
    if findings["cardiomegaly"] != "absent":
        masks["cardiomegaly"] = (chest.heart > 0.5) & (chest.y < chest.dome + 0.05)
    return masks


def _smooth_noise(rng: np.random.Generator, rows: int, columns: int) -> Field:
    coarse = rng.standard_normal((9, 9), dtype=np.float32) + 0
    fine = rng.standard_normal((27, 27), dtype=np.float32)
    return np.asarray(0.85 * _enlarge(coarse, rows, columns) + 0.65 * _enlarge(fine, rows, columns), dtype=np.float32)


def _enlarge(field: Field, rows: int, columns: int) -> Field:
    if field.shape == (rows, columns):
        return field
    resized = Image.fromarray(field).resize((columns, rows), Image.Resampling.BICUBIC)
    return np.array(resized, dtype=np.float32)


def _enlarge_mask(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    return np.repeat(np.repeat(mask, factor, axis=0), factor, axis=1) if factor > 1 else mask
