"""Stored files in the form in which a client wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from services.imaging.dicom.codecs import Pixels
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.description import render_frame
from services.imaging.dicom.frames import compressed_frame, native_frame, number_of_frames
from services.imaging.dicom.pixels import check_pixel_module, decode, frame_bytes
from services.imaging.dicom.reading import PREAMBLE, read_instance
from services.imaging.dicom.render import LONGEST_SIDE, Display, Shown, Window, encode_8, fit, from_png_16
from services.imaging.dicom.syntaxes import ENCAPSULATED, EXPLICIT_VR_LITTLE_ENDIAN
from services.imaging.errors import MalformedQuery, NoSuchFrame, TooManyPixels
from shared.errors import FieldProblem

__all__ = ["View", "can_give", "encode_8", "file_as", "frame_media_type", "frames", "rendered", "thumbnail"]

OCTETS = "application/octet-stream"
MAX_DECOMPRESSED_BYTES = 2**30
OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
VOI_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}


@dataclass(frozen=True)
class View:
    """How a client wants to see an image (PS3.18 section 8.3.5.1)."""

    width: int | None = None
    height: int | None = None
    window: Window | None = None

    @classmethod
    def parse(cls, viewport: str | None, window: str | None) -> View:
        """The view that query parameters describe.

        Raises: MalformedQuery.
        """
        width = height = None
        if viewport is not None:
            sides = viewport.split(",")
            if len(sides) != 2 or not all(side.isdigit() and 0 < int(side) <= 2**14 for side in sides):
                raise _malformed("viewport", "use `width,height` in pixels, such as viewport=1024,1024")
            width, height = int(sides[0]), int(sides[1])
        return cls(width, height, _window(window) if window is not None else None)

    def fits_thumbnail(self, rows: int, columns: int) -> bool:
        """Whether the stored rendering is large enough for this view."""
        if self.window is not None:
            return False
        if max(rows, columns) <= LONGEST_SIDE:
            return True
        if self.width is None or self.height is None:
            return False
        scale = min(self.width / columns, self.height / rows)
        return max(rows, columns) * scale <= LONGEST_SIDE


def _window(text: str) -> Window:
    parts = text.split(",")
    try:
        center, width = float(parts[0]), float(parts[1])
        function = VOI_FUNCTIONS[parts[2].lower()] if len(parts) > 2 else "LINEAR"
    except (ValueError, IndexError, KeyError) as error:
        raise _malformed("window", "use `center,width,linear`, `linear-exact` or `sigmoid`") from error
    smallest = 1.0 if function == "LINEAR" else 0.0
    if not (abs(center) < 1e9 and smallest <= width < 1e9 and width > 0):
        raise _malformed("window", "use a positive width, at least 1 for a linear window")
    return Window(center, width, function)


def _malformed(field: str, fix: str) -> MalformedQuery:
    return MalformedQuery(f"{field} is not well formed.", fields=[FieldProblem(field, "is not well formed", fix)])


def can_give(stored_syntax: str, wanted_syntax: str | None) -> bool:
    """Whether a file can be given in a transfer syntax: the stored one, or Explicit VR Little Endian."""
    return wanted_syntax in (None, "*", stored_syntax, EXPLICIT_VR_LITTLE_ENDIAN)


def file_as(content: bytes, stored_syntax: str, wanted_syntax: str | None, decoders: Decoders) -> bytes:
    """The file as it was received, or decompressed where a client asks for Explicit VR Little Endian by name.

    The preamble is zeroed: a file that is DICOM and something else at once must not leave through us.
    """
    if wanted_syntax == EXPLICIT_VR_LITTLE_ENDIAN and stored_syntax != EXPLICIT_VR_LITTLE_ENDIAN:
        content = _decompressed(content, decoders)
    return bytes(PREAMBLE) + content[PREAMBLE:]


def _decompressed(content: bytes, decoders: Decoders) -> bytes:
    ds = read_instance(content).ds
    check_pixel_module(ds, max_pixels=decoders.limits.max_pixels)
    if number_of_frames(ds) * frame_bytes(ds) > MAX_DECOMPRESSED_BYTES:
        raise TooManyPixels(
            "transfer-syntax", f"the image has more than {MAX_DECOMPRESSED_BYTES} bytes when it is decompressed",
            "retrieve it as stored (transfer-syntax=*), or frame by frame",
        )  # fmt: skip
    decoded = [decode(ds, decoders, index) for index in range(number_of_frames(ds))]
    pixels = b"".join(map(_little_endian, decoded))
    ds.PixelData = pixels + b"\x00" * (len(pixels) % 2)
    ds.BitsAllocated = decoded[0].itemsize * 8
    if decoded[0].ndim == 3:
        ds.PhotometricInterpretation, ds.PlanarConfiguration = "RGB", 0
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    ds["PixelData"].is_undefined_length = False
    for keyword in OFFSETS:
        if keyword in ds:
            del ds[keyword]
    ds.file_meta.TransferSyntaxUID = UID(EXPLICIT_VR_LITTLE_ENDIAN)
    stream = BytesIO()
    dcmwrite(stream, ds, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def _little_endian(values: Pixels) -> bytes:
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def frame_media_type(transfer_syntax_uid: str) -> str:
    """The media type of a frame as stored."""
    return ENCAPSULATED.get(transfer_syntax_uid, OCTETS)


def frames(content: bytes, numbers: Sequence[int], decoders: Decoders, *, compressed: bool) -> tuple[list[bytes], str]:
    """Frames, counted from 1, and their transfer syntax: as stored where they may be, else uncompressed little endian.

    Compressed colour becomes RGB, colour by pixel. Colour that is stored uncompressed stays as its header says.

    Raises: NoSuchFrame; Refused: no decoder can read it.
    """
    read = read_instance(content)
    ds, most = read.ds, number_of_frames(read.ds)
    if not all(1 <= number <= most for number in numbers):
        raise NoSuchFrame(f"This instance has the frames 1 to {most}.")
    encapsulated = read.transfer_syntax_uid in ENCAPSULATED
    if compressed and encapsulated:
        return [compressed_frame(ds, number - 1) for number in numbers], read.transfer_syntax_uid
    check_pixel_module(ds, max_pixels=decoders.limits.max_pixels)
    if ds.SamplesPerPixel == 3 and not encapsulated:
        return [_native_colour(ds, number - 1) for number in numbers], EXPLICIT_VR_LITTLE_ENDIAN
    return [_little_endian(decode(ds, decoders, number - 1)) for number in numbers], EXPLICIT_VR_LITTLE_ENDIAN


def _native_colour(ds: Dataset, index: int) -> bytes:
    content = native_frame(ds, index, frame_bytes(ds))
    if ds.original_encoding[1] is not False or ds.BitsAllocated == 8:
        return content
    return np.frombuffer(content, f">u{ds.BitsAllocated // 8}").astype(f"<u{ds.BitsAllocated // 8}").tobytes()


def thumbnail(png: bytes, view: View) -> Display:
    """A view that the stored rendering is large enough for."""
    image = from_png_16(png)
    return fit(image, view.width or image.shape[1], view.height or image.shape[0])


def rendered(content: bytes, view: View, decoders: Decoders, number: int = 1) -> Shown:
    """A view of one frame, counted from 1, at full resolution.

    Raises: NoSuchFrame; Refused: no image can be made of it.
    """
    read = read_instance(content)
    most = number_of_frames(read.ds)
    if not 1 <= number <= most:
        raise NoSuchFrame(f"This instance has the frames 1 to {most}.")
    image = render_frame(read, decoders, number - 1, view.window)
    return fit(image, view.width or image.shape[1], view.height or image.shape[0])
