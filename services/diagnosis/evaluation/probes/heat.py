"""The numbers of a heat map: from the explanation where it carries them, else read off the picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from services.diagnosis.evaluation.subject import Array
from services.diagnosis.inference.prediction import ImageExplanation


def heat_of(explanation: ImageExplanation) -> Array:
    """[height, width] over the whole image; positive speaks for the explained label.

    Off the picture only the order of the values is right: warm colours speak for, cool ones against (see
    `inference.attribution.image`), and opacity tells how much.
    """
    if explanation.grid is not None:
        return np.asarray(explanation.grid, np.float64)
    rgba = np.asarray(Image.open(io.BytesIO(explanation.heatmap_png)).convert("RGBA"), np.float64)
    return np.where(rgba[..., 0] >= rgba[..., 2], 1.0, -1.0) * rgba[..., 3]
