"""MSH-18: the character set of a message (HL7 table 0211), where it can be told from the bytes alone."""

from __future__ import annotations

from shared.hl7v2.header import Header
from shared.hl7v2.problems import Fault, Kind, RefusedMessage

CHARSETS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}
"""Name in table 0211 -> Python codec. All hold ASCII, so that the header can be read before."""
_FIX = f"send one of {', '.join(CHARSETS)}"


def decode(content: bytes, header: Header, unnamed: str) -> tuple[str, str]:
    """The text of a message and the codec that it was read with.

    Args:
        unnamed: the set that MSH-18 means where it is empty (a key of `CHARSETS`).
    Raises: RefusedMessage: an unknown set, or bytes that the set does not have.
    """
    name = header.part(18) or ("UNICODE UTF-8" if header.has_mark else unnamed)
    codec = CHARSETS.get(name)
    if codec is None:
        raise RefusedMessage(Fault("MSH-18", "names a character set not known here", _FIX, Kind.UNKNOWN_VALUE))
    try:
        return content.decode(codec).removeprefix("\ufeff"), codec
    except UnicodeDecodeError as error:
        problem = f"does not name the character set of the message, which cannot be read in it at byte {error.start}"
        raise RefusedMessage(Fault("MSH-18", problem, _FIX, Kind.DATA_TYPE)) from None
