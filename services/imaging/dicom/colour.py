"""Palette and true colour to what a person sees: RGB of 8 bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from services.imaging.dicom.codecs import Pixels
from services.imaging.errors import UnsupportedPixelData

Colour = NDArray[np.uint8]
"""[rows, columns, 3], red, green, blue."""


def from_palette(values: Pixels, ds: Dataset) -> Colour:
    """Indices [rows, columns] through the palette of the header (PS3.3 C.7.9).

    Raises: UnsupportedPixelData: the palette is not well formed.
    """
    try:
        looked_up = apply_color_lut(values, ds)
    except Exception as error:
        # Whatever these elements make pydicom raise, they are what is wrong.
        raise UnsupportedPixelData(
            "RedPaletteColorLookupTableData", "the palette is not well formed", "correct it (PS3.3 C.7.9)"
        ) from error
    return to_eight_bits(looked_up, looked_up.itemsize * 8)


def to_eight_bits(values: Pixels, bits: int) -> Colour:
    """The upper eight of so many bits a sample."""
    return (values >> max(bits - 8, 0)).astype(np.uint8)
