"""Pixel data to an array of stored values, or a reason why not. Bounds are checked before any decoder runs."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from services.imaging.dicom.codecs import Pixels
from services.imaging.dicom.codestream import announced_size
from services.imaging.dicom.decoder_process import undecodable
from services.imaging.dicom.decoder_wire import FrameForm
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.frames import compressed_frame, number_of_frames, whole
from services.imaging.dicom.syntaxes import ENCAPSULATED
from services.imaging.dicom.values import text, value_of
from services.imaging.errors import (
    NoPixelData,
    TooManyPixels,
    TruncatedDicom,
    UndecodablePixelData,
    UnsupportedPixelData,
)

GRAYSCALE = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
# What 4:2:2 leaves out: two pixels share their chrominance (PS3.3 C.7.6.3.1.2).
SAMPLES_STORED = {"YBR_FULL_422": 2}


def check_pixel_module(ds: Dataset, *, max_pixels: int) -> None:
    """Raises: Refused: anything but complete frames of grayscale, palette or colour that can be decoded and shown."""
    if not value_of(ds, "PixelData"):
        raise NoPixelData("PixelData", "is missing or empty", "send the image itself, not only its header")
    check_size(ds, max_pixels)
    samples, photometric = whole(ds, "SamplesPerPixel", 1), text(ds, "PhotometricInterpretation")
    if photometric not in (COLOUR if samples == 3 else (*GRAYSCALE, PALETTE) if samples == 1 else ()):
        raise UnsupportedPixelData(
            "PhotometricInterpretation",
            "is none of MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB and YBR, or SamplesPerPixel does not fit",
            "send grayscale or colour (PS3.3 C.7.6.3.1.2)",
        )
    allocated, stored = whole(ds, "BitsAllocated"), whole(ds, "BitsStored")
    if allocated not in ((8, 16, 32) if samples == 3 else (8, 16)) or not 1 < stored <= allocated:
        raise UnsupportedPixelData(
            "BitsAllocated", "is not 8 or 16, or BitsStored does not fit", "send 8 to 16 bits a pixel"
        )
    if whole(ds, "PixelRepresentation", 0) not in (0, 1):
        raise UnsupportedPixelData(
            "PixelRepresentation", "is neither 0 nor 1", "send unsigned (0) or signed (1) pixels"
        )
    if str(ds.file_meta.TransferSyntaxUID) in ENCAPSULATED:
        _check_announced(ds)


def check_size(ds: Dataset, max_pixels: int) -> None:
    """Raises: TooManyPixels, TruncatedDicom, UnsupportedPixelData: the matrix, or what there is of it."""
    rows, columns = whole(ds, "Rows"), whole(ds, "Columns")
    if rows < 1 or columns < 1 or number_of_frames(ds) < 1:
        raise UnsupportedPixelData(
            "Rows", "Rows, Columns and NumberOfFrames must be positive", "send the size of the pixel matrix"
        )
    if rows * columns > max_pixels:
        raise TooManyPixels(
            "Rows", f"Rows times Columns is more than {max_pixels}", "send the image at a lower resolution"
        )
    native = str(ds.file_meta.TransferSyntaxUID) not in ENCAPSULATED
    if native and len(ds.PixelData) < number_of_frames(ds) * frame_bytes(ds):
        raise TruncatedDicom(
            "PixelData", "is shorter than Rows, Columns and BitsAllocated say", "send the whole file again"
        )


def frame_bytes(ds: Dataset) -> int:
    """The length of one uncompressed frame as it is stored."""
    samples = SAMPLES_STORED.get(text(ds, "PhotometricInterpretation"), whole(ds, "SamplesPerPixel", 1))
    return whole(ds, "Rows") * whole(ds, "Columns") * samples * whole(ds, "BitsAllocated") // 8


def _check_announced(ds: Dataset, index: int = 0) -> None:
    announced = announced_size(compressed_frame(ds, index))
    if announced not in (None, (whole(ds, "Rows"), whole(ds, "Columns"))):
        raise UndecodablePixelData(
            "PixelData", "its code stream has another size than Rows and Columns", "compress the image again"
        )


def decode(ds: Dataset, decoders: Decoders, index: int = 0) -> Pixels:
    """Pixels of one frame, counted from 0; `check_pixel_module` has passed.

    Compressed frames are decoded in a child process. Uncompressed ones need no codec: NumPy looks at them where they
    are.

    Returns: stored values [rows, columns], sign and unused bits set right; of colour RGB [rows, columns, 3].
    Raises: Refused: no decoder can read the stream, or it gives another shape than the header, or takes too much.
    """
    transfer_syntax_uid = str(ds.file_meta.TransferSyntaxUID)
    form = _form(ds, transfer_syntax_uid)
    if transfer_syntax_uid in ENCAPSULATED:
        _check_announced(ds, index)
        return decoders.decode(form, compressed_frame(ds, index))
    try:
        values = get_decoder(UID(transfer_syntax_uid)).as_array(ds, index=index)[0]
    except Exception as error:
        # Whatever pydicom raises at these bytes, they are what is wrong.
        raise undecodable() from error
    if values.shape != form.shape:
        raise undecodable()
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _form(ds: Dataset, transfer_syntax_uid: str) -> FrameForm:
    return FrameForm(
        transfer_syntax_uid,
        whole(ds, "Rows"),
        whole(ds, "Columns"),
        whole(ds, "BitsAllocated"),
        whole(ds, "BitsStored"),
        whole(ds, "PixelRepresentation", 0),
        text(ds, "PhotometricInterpretation"),
        whole(ds, "SamplesPerPixel", 1),
    )
