"""Heat maps against masks: the pointing game and the share of the heat inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.subject import Array

Pointing = dict[str, tuple[Array, NDArray[np.bool_]]]
"""Kind (`for`, `any`) -> heat and union of masks of one case."""
KINDS = ("for", "any")
TOLERANCE = 0.03
"""Of the longer side: the paper's 15 pixels on photographs of some 500."""


def judge_image(heat: Array, mask: NDArray[np.bool_], kind: str) -> dict[str, float]:
    """The pointing game (arXiv 1608.00507), strictly and with its tolerance, and the share of the heat inside the mask.

    Args:
        heat: [height, width] over the image; for `for` only what is positive counts, for `any` its size.
        mask: [rows, columns] of the image, the union of the findings' masks.
    Returns: `pointing` in {0, 1}: the peak lies in the mask; `pointing_chance`: the mask's share of the image;
        `pointing_near`: the peak lies in it or within `TOLERANCE`; `energy`, and `energy_over_area`.
    """
    cover = _shrink(mask, heat.shape)
    shown = np.maximum(heat, 0) if kind == "for" else np.abs(heat)
    area, total = float(mask.mean()), float(shown.sum())
    figures = {"pointing_chance": area, "pointing": 0.0, "pointing_near": 0.0, "energy": 0.0}
    if total > 0:
        away = _distance_of_peak(shown, mask)
        figures["pointing"], figures["pointing_near"] = float(away == 0), float(away <= TOLERANCE * max(mask.shape))
        figures["energy"] = float((shown * cover).sum() / total)
    return {**figures, "energy_over_area": figures["energy"] / area}


def judge_images(cases: Sequence[Pointing]) -> list[dict[str, float]]:
    """Image figures of each case, and the same pointing with the heat of the next case instead of its own.

    A heat map that only knows where chests are usually ill does as well with another patient's.
    """
    rows: list[dict[str, float]] = [{} for _ in cases]
    for kind in KINDS:
        holders = [index for index, case in enumerate(cases) if kind in case]
        for place, index in enumerate(holders):
            heat, mask = cases[index][kind]
            other = cases[holders[(place + 1) % len(holders)]][kind][0]
            figures = judge_image(heat, mask, kind)
            if len(holders) > 1:
                figures["pointing_other_case"] = judge_image(other, mask, kind)["pointing"]
            rows[index] |= {f"image_{kind}_{name}": value for name, value in figures.items()}
    return rows


def _distance_of_peak(shown: Array, mask: NDArray[np.bool_]) -> float:
    """Pixels from the middle of the strongest cell to the mask; 0 inside."""
    row, column = np.unravel_index(int(shown.argmax()), shown.shape)
    down, across = mask.shape[0] / shown.shape[0], mask.shape[1] / shown.shape[1]
    peak = int((row + 0.5) * down), int((column + 0.5) * across)
    rows, columns = np.nonzero(mask)
    return float(np.hypot(rows - peak[0], columns - peak[1]).min()) if len(rows) else float("inf")


def _shrink(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> Array:
    """[height, width]: the mask's share of each cell."""
    from PIL import Image

    image = Image.fromarray(mask.astype(np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BOX), np.float64)
