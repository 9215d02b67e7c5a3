"""Which part of the radiograph: a heat map over the whole image, and its strongest regions in original pixels."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.diagnosis.inference.attribution.gradients import rescale_to
from services.diagnosis.inference.inputs import PreparedImages
from services.diagnosis.inference.prediction import ImageExplanation, Region
from services.diagnosis.model.preprocessing.image import Letterbox, to_original

Array = NDArray[np.float64]
MAX_REGIONS = 4
SPREAD = 1.0
"""Cells: neighbours see much of the same, and which of them gets the credit is nearly chance."""
_FOR, _AGAINST = (230, 80, 30), (40, 110, 230)
"""Colours of what speaks for and against the first diagnosis."""


def explain_images(prepared: PreparedImages, cells: Array) -> tuple[ImageExplanation, ...]:
    """One explanation per image from cell attributions [images, grid, grid] that sum to the modality's contribution."""
    cells = np.stack([spread(own) for own in cells])
    strongest = float(np.abs(cells).max()) or 1.0
    return tuple(
        ImageExplanation(
            image.id,
            image.sop_instance_uid,
            heatmap_png(own, box, strongest=strongest),
            find_regions(own, box, image.rows, image.columns, strongest=strongest),
            contribution_grid(own, box),
        )
        for image, box, own in zip(prepared.images, prepared.boxes, cells, strict=True)
    )


def spread(cells: Array) -> Array:
    """Cells [grid, grid], each shared with its neighbours; their sum stays."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(cells, SPREAD, mode="reflect"))


def heatmap_png(cells: Array, box: Letterbox, *, strongest: float) -> bytes:
    """RGBA with the aspect of the whole image: hue tells for or against, opacity how much."""
    inside = _over_image(cells / strongest, box)
    rgba = np.zeros((*inside.shape, 4), np.uint8)
    rgba[..., :3] = np.where(inside[..., None] > 0, _FOR, _AGAINST)
    rgba[..., 3] = (np.clip(np.abs(inside) - 0.08, 0, 1) ** 0.8 * 200).astype(np.uint8)
    image = Image.fromarray(rgba).resize((box.width * 4, box.height * 4), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def contribution_grid(cells: Array, box: Letterbox) -> Array:
    """[box height, box width]: the cells over the image alone; what fell on the border is spread inside."""
    return rescale_to(_over_image(cells, box) / (box.side / len(cells)) ** 2, float(cells.sum()))


def _over_image(cells: Array, box: Letterbox) -> Array:
    field = Image.fromarray(cells.astype(np.float32)).resize((box.side, box.side), Image.Resampling.BICUBIC)
    return np.asarray(field, np.float64)[box.top : box.top + box.height, box.left : box.left + box.width]


def find_regions(cells: Array, box: Letterbox, rows: int, columns: int, *, strongest: float) -> tuple[Region, ...]:
    """Connected cells of one sign above a third of the strongest cell, largest contribution first."""
    from scipy.ndimage import find_objects, label

    size = box.side / len(cells)
    regions = []
    for sign in (1, -1):
        labels, _ = label(sign * cells > strongest / 3)
        for number, slices in enumerate(find_objects(labels), start=1):
            down, across = slices
            corners = (across.start * size, down.start * size, across.stop * size, down.stop * size)
            x, y, width, height = to_original(box, corners, rows, columns)
            if width > 0 and height > 0:
                regions.append(Region(x, y, width, height, float(cells[labels == number].sum())))
    return tuple(sorted(regions, key=lambda region: -abs(region.contribution))[:MAX_REGIONS])
