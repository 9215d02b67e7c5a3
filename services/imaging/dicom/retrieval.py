"""Stored files in the form in which a client wants them."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.description import render_instance
from services.imaging.dicom.pixels import check_pixel_module, compressed_frame, decode
from services.imaging.dicom.reading import PREAMBLE, read_instance
from services.imaging.dicom.render import LONGEST_SIDE, Display, Window, encode_8, fit, from_png_16, to_display
from services.imaging.dicom.syntaxes import ENCAPSULATED, EXPLICIT_VR_LITTLE_ENDIAN
from services.imaging.errors import MalformedQuery
from shared.errors import FieldProblem

__all__ = ["View", "can_give", "encode_8", "file_as", "frame", "frame_media_type", "rendered", "thumbnail"]

OCTETS = "application/octet-stream"
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
    values = decode(ds, decoders)
    ds.PixelData = values.astype(values.dtype.newbyteorder("<")).tobytes() + b"\x00" * (values.nbytes % 2)
    ds.BitsAllocated = values.itemsize * 8
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    ds["PixelData"].is_undefined_length = False
    ds.file_meta.TransferSyntaxUID = UID(EXPLICIT_VR_LITTLE_ENDIAN)
    stream = BytesIO()
    dcmwrite(stream, ds, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def frame_media_type(transfer_syntax_uid: str) -> str:
    """The media type of a frame as stored."""
    return ENCAPSULATED.get(transfer_syntax_uid, OCTETS)


def frame(content: bytes, decoders: Decoders, *, compressed: bool) -> tuple[bytes, str]:
    """The frame and its transfer syntax: compressed as stored where it may be, else uncompressed little endian."""
    read = read_instance(content)
    if compressed and read.transfer_syntax_uid in ENCAPSULATED:
        return compressed_frame(read.ds), read.transfer_syntax_uid
    values = decode(read.ds, decoders)
    return values.astype(values.dtype.newbyteorder("<")).tobytes(), EXPLICIT_VR_LITTLE_ENDIAN


def thumbnail(png: bytes, view: View) -> Display:
    """A view that the stored rendering is large enough for."""
    image = from_png_16(png)
    return fit(image, view.width or image.shape[1], view.height or image.shape[0])


def rendered(content: bytes, view: View, decoders: Decoders) -> Display:
    """A view of the image at full resolution."""
    read = read_instance(content)
    if view.window is None:
        image = render_instance(read, decoders)
    else:
        check_pixel_module(read.ds, max_pixels=decoders.limits.max_pixels)
        image = to_display(decode(read.ds, decoders), read.ds, view.window)
    return fit(image, view.width or image.shape[1], view.height or image.shape[0])
