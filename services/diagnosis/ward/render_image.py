"""The radiograph: findings and nuisance in, brightness and one mask per finding out. The diagnosis is not an argument.

Shapes are computed on a grid of at most 256 rows and enlarged; devices, markers and noise are drawn at full size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from services.diagnosis.ward import anatomy
from services.diagnosis.ward.anatomy import NUISANCE_RANGES, Chest, Field, Frame, Nuisance
from services.diagnosis.ward.lesions import LESION_RANGES, Lesion, draw_device, lesions
from services.diagnosis.ward.model import Findings
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.scanners import STANDARD_IMAGING, Imaging

GRID = 256
ASPECTS = (0.82, 0.875, 0.9375, 1.0)
"""Width by height; few, so that coordinate grids are shared."""


@dataclass(frozen=True)
class Radiograph:
    """A rendered radiograph before it becomes integers."""

    brightness: Field
    """[rows, columns]; air dark, 0 to 1 is what a good window shows, some pixels lie beyond."""
    masks: dict[str, NDArray[np.bool_]]
    """Finding -> where it shows, on the same grid."""


def draw_nuisance(rng: np.random.Generator) -> Nuisance:
    """All of an image's nuisance, one uniform each in a fixed order, so that findings change nothing else."""
    ranges = NUISANCE_RANGES | LESION_RANGES
    return {
        name: low + (high - low) * u
        for (name, (low, high)), u in zip(ranges.items(), rng.random(len(ranges)).tolist(), strict=True)
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
    imaging: Imaging = STANDARD_IMAGING,
) -> Radiograph:
    """Draw one frontal chest radiograph.

    Args:
        side: rows of the image; a multiple of ceil(side / 256).
    """
    n = draw_nuisance(rng)
    rows, columns = image_shape(n, side)
    factor = _factor(side)
    small = _frame(n, rows // factor, columns // factor)
    texture = _smooth_noise(rng, small.rows, small.columns)
    chest = _chest(findings, small, n)
    drawn = lesions(findings, chest, n, texture)
    brightness = _enlarge(_compose(chest, n, drawn, texture, person.sex), rows, columns)
    masks = {lesion.name: _enlarge_mask(lesion.where > 0.5, factor) for lesion in drawn}
    masks |= {name: _enlarge_mask(mask, factor) for name, mask in _shape_masks(findings, chest).items()}
    full = _frame(n, rows, columns)
    if findings["device"] != "absent":
        added, where = draw_device(findings["device"], full, n)
        brightness += added
        masks["device"] = where > 0.5
    _hardware(brightness, full, n)
    return Radiograph(_expose(brightness, n, rng), masks)


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


def _compose(chest: Chest, n: Nuisance, drawn: list[Lesion], texture: Field, sex: str) -> Field:
    """Soft tissue, lungs, vessels, heart, lesions, bones: brightness in the order a beam would add them up."""
    tissue = np.float32(n["soft_tissue"]) + 0.02 * texture + 0.05 * anatomy.ramp(chest.y - chest.dome, 0.1)
    body = anatomy.body(chest, n)
    image = tissue * body
    air = n["lung_density"] + 0.06 * chest.y + 0.012 * texture
    image += chest.lungs * (air - image)
    clear = np.ones_like(chest.lungs)
    for lesion in drawn:
        clear = clear * (1 - lesion.where) if lesion.clears_vessels else clear
    image += np.float32(n["vessel_contrast"]) * anatomy.vessels(chest, n) * chest.lungs * clear
    if sex == "F":
        image += anatomy.breasts(chest, n)
    if n["gastric_bubble"] > 0.45:
        bubble = anatomy.ellipse(chest.x, chest.y, (0.14, float(n["dome_y"]) + 0.1), (0.06, 0.035), 15)
        image -= 0.2 * anatomy.ramp(bubble, 0.02) * anatomy.ramp(chest.y - chest.dome - 0.012, 0.012)
    centre = np.maximum(chest.heart * anatomy.ramp(chest.dome + 0.05 - chest.y, 0.06), anatomy.mediastinum(chest, n))
    image += 0.93 * centre * np.maximum(0.69 - image, 0)
    for lesion in drawn:
        image += lesion.alpha * (lesion.target - image)
        if lesion.added is not None:
            image += lesion.added
    image += anatomy.skeleton(chest, n) * body
    return np.asarray(image, dtype=np.float32)


def _shape_masks(findings: Findings, chest: Chest) -> dict[str, NDArray[np.bool_]]:
    """Findings that are a changed shape rather than something added."""
    masks: dict[str, NDArray[np.bool_]] = {}
    if findings["hyperinflation"] != "absent":
        masks["hyperinflation"] = chest.lungs > 0.5
    if findings["cardiomegaly"] != "absent":
        masks["cardiomegaly"] = (chest.heart > 0.5) & (chest.y < chest.dome + 0.05)
    return masks


def _hardware(brightness: Field, frame: Frame, n: Nuisance) -> None:
    """Side marker and electrodes: bright, and without meaning."""
    canvas = Image.new("L", (frame.columns, frame.rows))
    draw = ImageDraw.Draw(canvas)
    unit = frame.rows / 100
    if n["marker"] > 0.2:
        left, top = frame.columns - 12 * unit, (4 + 10 * n["marker"]) * unit
        draw.line(
            [(left, top), (left, top + 6 * unit), (left + 3.5 * unit, top + 6 * unit)],
            fill=255,
            width=max(1, int(unit)),
        )
    if n["electrodes"] > 0.55:
        for column, row in frame.pixels([(-0.24, 0.2), (0.25, 0.22), (0.27, 0.66)]):
            draw.ellipse(
                [column - unit, row - unit, column + unit, row + unit], outline=150, width=max(1, int(unit * 0.6))
            )
    brightness += np.asarray(canvas, dtype=np.float32) * np.float32(0.35 / 255)


def _expose(brightness: Field, n: Nuisance, rng: np.random.Generator) -> Field:
    """Tone curve, heel effect and quantum noise."""
    rows, columns = brightness.shape
    slope = np.linspace(1 - n["vignette"], 1 + n["vignette"], columns, dtype=np.float32)
    toned = np.clip(brightness * slope, 0, 1.4) ** np.float32(n["gamma"]) * np.float32(n["exposure"] * 1.12)
    grain = rng.standard_normal((rows, columns), dtype=np.float32)
    toned += grain * np.float32(n["noise"]) + np.float32(n["brightness"])
    return np.asarray(toned)


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
