"""Stored pixel values to what a person or a network sees. Colour and palettes: `colour`.

Modality LUT (PS3.3 C.11.1), VOI LUT (C.11.2), photometric interpretation (C.7.6.3.1.2), padding dark. All of these
map one stored value to one display value, so they are applied to a table of the possible values, at most 65,536, and
the image is looked up in it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing

from services.imaging.dicom.codecs import Pixels
from services.imaging.dicom.colour import Colour, from_palette, to_eight_bits
from services.imaging.dicom.pixels import PALETTE
from services.imaging.errors import UnsupportedPixelData

WHITE = 65535
LONGEST_SIDE = 512
HUFFMAN_ONLY = 2
Display = NDArray[np.uint16]
Shown = Display | Colour
Image_ = TypeVar("Image_", bound=Shown)
VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """A window in units of the modality LUT's output (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = "LINEAR"


def show(values: Pixels, ds: Dataset, window: Window | None = None) -> Shown:
    """Render decoded pixels for display, whatever their photometric interpretation; a window is for grayscale alone.

    Raises: UnsupportedPixelData: a lookup table, palette or window in the header is not well formed.
    """
    if values.ndim == 3:
        return to_eight_bits(values, int(ds.BitsStored))
    return from_palette(values, ds) if ds.PhotometricInterpretation == PALETTE else to_display(values, ds, window)


def to_display(values: Pixels, ds: Dataset, window: Window | None = None) -> Display:
    """Render stored values for display.

    Args:
        window: replaces the VOI LUT or window that the header names.
    Returns: array [rows, columns], 0 is black, 65535 is white; air is dark, padding is black.
    Raises: UnsupportedPixelData: a lookup table or window in the header is not well formed.
    """
    lowest, highest = int(values.min()), int(values.max())
    # Unsigned wrap-around makes this exact for signed values too, and spares a wider copy of the image.
    unsigned = f"u{values.itemsize}"
    index = values.view(unsigned) - np.array(lowest).astype(unsigned) if lowest else values
    stored = np.arange(lowest, highest + 1, dtype=np.int64)
    try:
        table = _display_table(stored, index, ds, window)
    except Exception as error:
        # Whatever these elements make pydicom or NumPy raise, they are what is wrong.
        raise UnsupportedPixelData(
            "WindowCenter",
            "a modality LUT, VOI LUT or window is not well formed",
            "correct or remove it (PS3.3 C.11.1, C.11.2)",
        ) from error
    return table[index]


def _display_table(stored: NDArray[np.int64], index: Pixels, ds: Dataset, window: Window | None) -> Display:
    """Display values of all `stored` values; `index` says which of them occur where."""
    padding = _padding(stored, ds)
    modality_values = _modality(stored, ds)
    window = window or _window_of(ds)
    if window is None and _has_table(ds, "VOILUTSequence"):
        fractions = _lookup(modality_values, ds.VOILUTSequence[0], ds)
    else:
        fractions = _windowed(modality_values, window or _full_range(modality_values[_occurring(index, padding)]))
    if ds.PhotometricInterpretation == "MONOCHROME1":
        fractions = 1.0 - fractions
    fractions[padding] = 0.0
    return np.rint(fractions * WHITE).astype(np.uint16)


def _occurring(index: Pixels, padding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which stored values occur in the image, padding aside; without padding, the ends of the table are known to."""
    if not padding.any():
        return ~padding
    present = np.zeros(padding.shape, np.bool_)
    present[index] = True
    return present & ~padding


def _padding(stored: NDArray[np.int64], ds: Dataset) -> NDArray[np.bool_]:
    """Which stored values stand for "no pixel here" (PS3.3 C.7.5.1.1.2)."""
    first = ds.get("PixelPaddingValue")
    if first is None or first == "":
        return np.zeros(stored.shape, np.bool_)
    limit = ds.get("PixelPaddingRangeLimit")
    ends = sorted((int(first), int(first if limit in (None, "") else limit)))
    inside: NDArray[np.bool_] = (stored >= ends[0]) & (stored <= ends[1])
    # An image that is all padding is shown rather than blackened: more likely the header is wrong.
    return np.zeros(stored.shape, np.bool_) if inside.all() else inside


def _modality(stored: NDArray[np.int64], ds: Dataset) -> NDArray[np.float64]:
    if _has_table(ds, "ModalityLUTSequence"):
        item = ds.ModalityLUTSequence[0]
        return _lookup(stored, item, ds) * _greatest(item)
    slope, intercept = ds.get("RescaleSlope"), ds.get("RescaleIntercept")
    values = stored.astype(np.float64)
    if slope not in (None, "") and intercept not in (None, ""):
        values = values * np.float64(slope) + np.float64(intercept)
    return values


def _window_of(ds: Dataset) -> Window | None:
    """The first window of the header; None where there is none, or a VOI LUT goes before it."""
    center, width = _first(ds.get("WindowCenter")), _first(ds.get("WindowWidth"))
    if center is None or width is None or _has_table(ds, "VOILUTSequence"):
        return None
    function = str(ds.get("VOILUTFunction") or "LINEAR").strip().upper()
    # Some senders write a width of 0 for "none".
    return Window(center, width, function) if width > 0 else None


def _first(value: object) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # DS of one value
    except TypeError:
        return float(next(iter(value)))  # type: ignore[call-overload]  # or of several


def _windowed(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """`values` through a window, as fractions of the output range (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    # pydicom derives the output range from the data set; this one makes it 0 to 65535 exactly, whatever the rescale.
    ds = Dataset()
    ds.PhotometricInterpretation, ds.PixelRepresentation, ds.BitsStored = "MONOCHROME2", 0, 16
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = window.center, window.width, window.function
    with np.errstate(over="ignore"):  # far from a sigmoid's centre exp() is infinite, and the result rightly 0
        shown = np.asarray(apply_windowing(values, ds), np.float64)
    return shown / WHITE


def _full_range(values: NDArray[np.float64]) -> Window:
    lowest, highest = float(values.min()), float(values.max())
    return Window((lowest + highest) / 2, max(highest - lowest, 1e-9), "LINEAR_EXACT")


def _has_table(ds: Dataset, sequence: str) -> bool:
    items = ds.get(sequence)
    return bool(items) and "LUTDescriptor" in items[0] and "LUTData" in items[0]


def _lookup(values: NDArray[np.int64] | NDArray[np.float64], item: Dataset, ds: Dataset) -> NDArray[np.float64]:
    """`values` through a LUT (PS3.3 C.11.1.1, C.11.2.1.1), as fractions of its greatest possible output."""
    # Implicit VR does not say whether the descriptor is signed; the number of entries never is (PS3.3 C.11.1.1).
    count, first = int(item.LUTDescriptor[0]) % 2**16 or 2**16, int(item.LUTDescriptor[1])
    # Values before the first and after the last entry take the first and the last.
    index = np.clip(np.rint(values).astype(np.int64) - first, 0, count - 1)
    return _entries(item, count, ds)[index] / _greatest(item)


def _greatest(item: Dataset) -> float:
    """The greatest output that the LUT's depth allows."""
    bits = int(item.LUTDescriptor[2])
    if not 8 <= bits <= 16:
        raise ValueError("a LUT has 8 to 16 bits an entry")
    return float(2**bits - 1)


def _entries(item: Dataset, count: int, ds: Dataset) -> NDArray[np.float64]:
    data = item.LUTData
    if not isinstance(data, bytes):
        entries = np.atleast_1d(np.asarray(data, np.float64))
    elif len(data) >= 2 * count:
        order = "<" if ds.original_encoding[1] is not False else ">"
        entries = np.frombuffer(data, f"{order}u2", count).astype(np.float64)
    else:  # 8-bit entries, two to a word
        entries = np.frombuffer(data, np.uint8, count).astype(np.float64)
    if len(entries) < count:
        raise ValueError("a LUT is shorter than its descriptor says")
    return entries


def fit(image: Image_, width: int = LONGEST_SIDE, height: int = LONGEST_SIDE) -> Image_:
    """The whole image within width x height, never enlarged, by the mean of the pixels under each new one."""
    rows, columns = image.shape[:2]
    scale = min(width / columns, height / rows, 1.0)
    if scale == 1.0:
        return image
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    resized = Image.fromarray(image).resize(size, Image.Resampling.BOX)
    return np.asarray(resized, image.dtype)  # type: ignore[return-value]  # the type that came


def png_16(image: Display) -> bytes:
    """A 16-bit grayscale PNG."""
    stream = BytesIO()
    # The low bytes of a radiograph are noise: searching for repeats takes twice the time and makes the file larger.
    Image.fromarray(image).save(stream, "PNG", compress_level=1, compress_type=HUFFMAN_ONLY)
    return stream.getvalue()


def from_png_16(content: bytes) -> Display:
    """The image of `png_16`."""
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image).astype(np.uint16)


def encode_8(image: Shown, media_type: str, quality: int = 90) -> bytes:
    """An 8-bit `image/png` or `image/jpeg`, for browsers."""
    stream = BytesIO()
    eight_bits = Image.fromarray((image >> 8).astype(np.uint8) if image.ndim == 2 else image)
    if media_type == "image/png":
        eight_bits.save(stream, "PNG", compress_level=3)
    else:
        eight_bits.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
