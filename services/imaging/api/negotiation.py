"""Which of the forms we can give a client accepts (RFC 9110 section 12.5.1, PS3.18 section 8.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.imaging.dicom.multipart import parameters
from services.imaging.errors import CannotRender

DICOM_JSON = "application/dicom+json"


@dataclass(frozen=True)
class Wanted:
    """One media range of an Accept header."""

    media_type: str
    """In lower case; of a multipart range the type of its parts."""
    multipart: bool
    transfer_syntax: str | None
    quality: float


def wanted_of(accept: str) -> list[Wanted]:
    """The media ranges of an Accept header, best first; `*/*` when there is none."""
    ranges = [_range(item) for item in _split(accept or "*/*")]
    return sorted((item for item in ranges if item.quality > 0), key=lambda item: -item.quality)


def _split(accept: str) -> Sequence[str]:
    """At commas outside quotes."""
    pieces, quoted, start = [], False, 0
    for at, character in enumerate(accept):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            pieces.append(accept[start:at])
            start = at + 1
    return [piece.strip() for piece in [*pieces, accept[start:]] if piece.strip()]


def _range(item: str) -> Wanted:
    media_type, found = parameters(item)
    whole = media_type.startswith("multipart/")
    try:
        quality = float(found.get("q", "1"))
    except ValueError:
        quality = 0.0
    inner = found.get("type", "*/*").lower() if whole else media_type
    return Wanted(inner, whole, found.get("transfer-syntax"), quality)


def matches(wanted: Wanted, media_type: str) -> bool:
    """Whether a range covers a media type."""
    main = media_type.partition("/")[0]
    return wanted.media_type in ("*/*", f"{main}/*", media_type)


def json_type(accept: str) -> str:
    """The media type under which the DICOM JSON model is given.

    Raises: CannotRender: the client takes neither of its names, such as one that wants XML alone.
    """
    for wanted in wanted_of(accept):
        for media_type in (DICOM_JSON, "application/json"):
            if not wanted.multipart and matches(wanted, media_type):
                return media_type
    raise CannotRender("Accept `application/dicom+json`.")
