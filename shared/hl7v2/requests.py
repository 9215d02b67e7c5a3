"""What the header of any message must say before a service looks at the rest of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from shared.hl7v2.header import Header
from shared.hl7v2.problems import Fault, Kind
from shared.hl7v2.settings import MllpSettings

ACKNOWLEDGEMENT_TYPES = ("AL", "NE", "ER", "SU")
"""HL7 table 0155: always, never, on errors, on success."""


def header_faults(
    header: Header, settings: MllpSettings, taken: Collection[tuple[str, str]], types_fix: str
) -> Iterator[Fault]:
    """All that is wrong with a header.

    Args:
        taken: message types and events (MSH-9) that the service takes.
        types_fix: what to send instead of another one.
    """
    kind, event = header.part(9), header.part(9, 2)
    if (kind, event) not in taken:
        is_known = kind in {known for known, _ in taken}
        problem = "names an event not taken here" if is_known else "names a message type not taken here"
        yield Fault("MSH-9", problem, types_fix, Kind.UNSUPPORTED_EVENT if is_known else Kind.UNSUPPORTED_TYPE)
    if not header.raw(10):
        yield Fault("MSH-10", "is empty", "give each message a control id of its own", Kind.MISSING)
    if header.part(11) not in tuple(settings.mllp_processing_ids):
        known = " or ".join(settings.mllp_processing_ids)
        fix = f"send {known}, or set {settings.variable('mllp_processing_ids')}"
        yield Fault("MSH-11", "is no processing id taken here", fix, Kind.UNSUPPORTED_PROCESSING_ID)
    if not re.fullmatch(r"2(\.\d){1,2}", header.part(12)):
        yield Fault("MSH-12", "is no version of HL7 v2", "send 2.3 to 2.8", Kind.UNSUPPORTED_VERSION)
    for number, condition in zip((15, 16), header.conditions, strict=True):
        if condition not in ("", *ACKNOWLEDGEMENT_TYPES):
            fix = f"send one of {', '.join(ACKNOWLEDGEMENT_TYPES)}, or leave MSH-15 and MSH-16 empty"
            yield Fault(f"MSH-{number}", "is no acknowledgement condition", fix, Kind.UNKNOWN_VALUE)
