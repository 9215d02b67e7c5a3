"""All identifiers of a text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from services.notes.clinical.identifiers.names import find_names
from services.notes.clinical.identifiers.patterns import find_patterns
from services.notes.clinical.identifiers.span import Identifier, IdentifierKind, merge

SHORTEST = 3
"""Characters that a known word must have: initials stand everywhere."""


def find_identifiers(text: str, known: Collection[str] = ()) -> tuple[Identifier, ...]:
    """The identifiers in a text, in order.

    Args:
        known: names and numbers of the patient or the author that came beside the text.
    """
    return merge([*find_patterns(text), *find_names(text), *_find_known(text, known)])


def _find_known(text: str, known: Collection[str]) -> Iterator[Identifier]:
    words = sorted({word for word in known if len(word) >= SHORTEST}, key=len, reverse=True)
    if not words:
        return
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
    for match in pattern.finditer(text):
        kind = IdentifierKind.NUMBER if any(map(str.isdigit, match[0])) else IdentifierKind.NAME
        yield Identifier(*match.span(), kind)
