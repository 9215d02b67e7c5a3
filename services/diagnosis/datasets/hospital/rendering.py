"""Stored pixel values of one DICOM radiograph to what a person or a network sees, as an ingest of the suite shows it.

Modality LUT (PS3.3 C.11.1), VOI LUT or window (C.11.2), MONOCHROME1 (C.7.6.3.1.2), padding black (C.7.5.1.1.2), then
the longest side averaged down to 512. All but the last map one stored value to one shown value, so they are applied to
the values between the smallest and the greatest, at most 65,536, and the image is looked up in that table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_rescale, apply_windowing

LONGEST_SIDE = 512
FAR = 1e12
"""Beyond every window."""
Values = NDArray[np.float64]


def render(ds: Dataset) -> NDArray[np.float32]:
    """The whole image: [rows, columns] in [0, 1], air dark, longest side at most 512.

    Raises: whatever the decoder or a malformed table or window raises; the caller knows the file.
    """
    stored: NDArray[np.integer[Any]] = ds.pixel_array
    lowest, highest = int(stored.min()), int(stored.max())
    levels = np.arange(lowest, highest + 1)
    padding = _padding(levels, ds)
    occurring = np.zeros(levels.shape, np.bool_)
    occurring[stored.astype(np.int64) - lowest] = True
    table = _shown(levels, occurring & ~padding, ds)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        table = 1 - table
    table[padding] = 0
    shown: NDArray[np.float32] = np.clip(table, 0, 1).astype(np.float32)[stored.astype(np.int64) - lowest]
    return reduce(shown)


def reduce(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """The whole image, each new pixel the mean of those under it; one that is small enough stays as it is."""
    rows, columns = brightness.shape
    scale = LONGEST_SIDE / max(rows, columns)
    if scale >= 1:
        return brightness
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    return np.asarray(Image.fromarray(brightness).resize(size, Image.Resampling.BOX), np.float32)


def _shown(levels: NDArray[np.int64], occurring: NDArray[np.bool_], ds: Dataset) -> Values:
    """Each level as a fraction of white, before MONOCHROME1."""
    values = _modality_values(levels, ds)
    if ds.get("VOILUTSequence"):
        return _looked_up(values, ds.VOILUTSequence[0])
    if _has_window(ds):
        # What the window makes of everything below and above it are the ends of the scale.
        with np.errstate(over="ignore"):
            black, white = (float(end) for end in apply_windowing(np.array([-FAR, FAR]), ds))
            return np.asarray((apply_windowing(values, ds) - black) / (white - black), np.float64)
    low, high = float(values[occurring].min()), float(values[occurring].max())
    return np.asarray((values - low) / max(high - low, 1e-9), np.float64)


def _modality_values(levels: NDArray[np.int64], ds: Dataset) -> Values:
    if ds.get("ModalityLUTSequence"):
        item = ds.ModalityLUTSequence[0]
        greatest = np.float64(2 ** int(item.LUTDescriptor[2]) - 1)
        return _looked_up(levels.astype(np.float64), item) * greatest
    return np.asarray(apply_rescale(levels, ds), np.float64)


def _looked_up(values: Values, item: Dataset) -> Values:
    """`values` through a table, as fractions of what its depth allows (PS3.3 C.11.1.1, C.11.2.1.1).

    pydicom's own lookup takes tables of 8 bits as bytes alone, and many are written as words.
    """
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = count % 2**16 or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        entries = np.frombuffer(data, "<u2" if len(data) >= 2 * count else np.uint8, count).astype(np.float64)
    else:
        entries = np.atleast_1d(np.asarray(data, np.float64))[:count]
    # Below the first entry and above the last, those two hold.
    return np.asarray(entries[np.clip(np.rint(values).astype(np.int64) - first, 0, count - 1)] / (2**bits - 1))


def _has_window(ds: Dataset) -> bool:
    """Some senders write a width of 0 for "none"."""
    width = ds.get("WindowWidth")
    if ds.get("WindowCenter") in (None, "") or width in (None, ""):
        return False
    return float(width if not hasattr(width, "__iter__") else next(iter(width))) > 0


def _padding(levels: NDArray[np.int64], ds: Dataset) -> NDArray[np.bool_]:
    """Which values stand for "no pixel here"; where all would, the header is more likely wrong."""
    first = ds.get("PixelPaddingValue")
    if first in (None, ""):
        return np.zeros(levels.shape, np.bool_)
    other = ds.get("PixelPaddingRangeLimit")
    ends = sorted((int(first), int(first if other in (None, "") else other)))
    inside: NDArray[np.bool_] = (levels >= ends[0]) & (levels <= ends[1])
    return np.zeros(levels.shape, np.bool_) if inside.all() else inside
