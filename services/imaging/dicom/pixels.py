"""Pixel data to an array of stored values, or a reason why not. Bounds are checked before any decoder runs."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from services.imaging.dicom.codecs import Pixels
from services.imaging.dicom.codestream import announced_size
from services.imaging.dicom.decoder_process import undecodable
from services.imaging.dicom.decoder_wire import FrameForm
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.syntaxes import ENCAPSULATED
from services.imaging.dicom.values import text, value_of
from services.imaging.errors import (
    NoPixelData,
    TooManyPixels,
    TruncatedDicom,
    UndecodablePixelData,
    UnsupportedPixelData,
)


def check_pixel_module(ds: Dataset, *, max_pixels: int) -> None:
    """Raises: Refused: anything but one complete monochrome frame of 8 to 16 bits and at most `max_pixels` pixels."""
    if not value_of(ds, "PixelData"):
        raise NoPixelData("PixelData", "is missing or empty", "send the image itself, not only its header")
    photometric = text(ds, "PhotometricInterpretation")
    if value_of(ds, "SamplesPerPixel", 1) != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnsupportedPixelData(
            "PhotometricInterpretation", "is not MONOCHROME1 or MONOCHROME2", "send the grayscale radiograph"
        )
    if _whole(ds, "NumberOfFrames", 1) != 1:
        raise UnsupportedPixelData("NumberOfFrames", "is more than one", "send each frame as an instance of its own")
    allocated, stored = _whole(ds, "BitsAllocated"), _whole(ds, "BitsStored")
    if allocated not in (8, 16) or not 1 < stored <= allocated:
        raise UnsupportedPixelData(
            "BitsAllocated", "is not 8 or 16, or BitsStored does not fit", "send 8 to 16 bits a pixel"
        )
    if _whole(ds, "PixelRepresentation", 0) not in (0, 1):
        raise UnsupportedPixelData(
            "PixelRepresentation", "is neither 0 nor 1", "send unsigned (0) or signed (1) pixels"
        )
    _check_size(ds, max_pixels)


def _check_size(ds: Dataset, max_pixels: int) -> None:
    rows, columns = _whole(ds, "Rows"), _whole(ds, "Columns")
    if rows < 1 or columns < 1:
        raise UnsupportedPixelData("Rows", "Rows and Columns must be positive", "send the size of the pixel matrix")
    if rows * columns > max_pixels:
        raise TooManyPixels(
            "Rows", f"Rows times Columns is more than {max_pixels}", "send the radiograph at a lower resolution"
        )
    if str(ds.file_meta.TransferSyntaxUID) in ENCAPSULATED:
        _check_announced(ds, rows, columns)
    elif len(ds.PixelData) < rows * columns * _whole(ds, "BitsAllocated") // 8:
        raise TruncatedDicom(
            "PixelData", "is shorter than Rows, Columns and BitsAllocated say", "send the whole file again"
        )


def _check_announced(ds: Dataset, rows: int, columns: int) -> None:
    announced = announced_size(compressed_frame(ds))
    if announced not in (None, (rows, columns)):
        raise UndecodablePixelData(
            "PixelData", "its code stream has another size than Rows and Columns", "compress the image again"
        )


def _whole(ds: Dataset, keyword: str, absent: int | None = None) -> int:
    value = value_of(ds, keyword, absent)
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise UnsupportedPixelData(keyword, "is missing or no number", f"send a valid {keyword}") from error


def compressed_frame(ds: Dataset) -> bytes:
    """The one frame of encapsulated pixel data.

    Raises: UndecodablePixelData: the fragments are not well formed.
    """
    try:
        return get_frame(ds.PixelData, 0, number_of_frames=1)
    except Exception as error:
        # Whatever the parser raises at these bytes, they are what is wrong.
        raise undecodable() from error


def decode(ds: Dataset, decoders: Decoders) -> Pixels:
    """Stored pixel values [rows, columns], sign and unused bits set right; `check_pixel_module` has passed.

    Compressed frames are decoded in a child process. Uncompressed ones need no codec: NumPy looks at them where they
    are.

    Raises: Refused: no decoder can read the stream, or it gives another shape than the header, or takes too much.
    """
    transfer_syntax_uid = str(ds.file_meta.TransferSyntaxUID)
    if transfer_syntax_uid in ENCAPSULATED:
        return decoders.decode(_form(ds, transfer_syntax_uid), compressed_frame(ds))
    try:
        values = get_decoder(UID(transfer_syntax_uid)).as_array(ds)[0]
    except Exception as error:
        # Whatever pydicom raises at these bytes, they are what is wrong.
        raise undecodable() from error
    if values.shape != (ds.Rows, ds.Columns):
        raise undecodable()
    return values


def _form(ds: Dataset, transfer_syntax_uid: str) -> FrameForm:
    return FrameForm(
        transfer_syntax_uid,
        _whole(ds, "Rows"),
        _whole(ds, "Columns"),
        _whole(ds, "BitsAllocated"),
        _whole(ds, "BitsStored"),
        _whole(ds, "PixelRepresentation", 0),
        text(ds, "PhotometricInterpretation"),
    )
