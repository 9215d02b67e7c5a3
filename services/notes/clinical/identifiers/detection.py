"""All identifiers of a text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from services.notes.clinical.identifiers.names import ORDINARY, find_names
from services.notes.clinical.identifiers.patterns import find_patterns
from services.notes.clinical.identifiers.span import Identifier, IdentifierKind, merge
from services.notes.clinical.lexicon import find_mentions

SHORTEST = 3
"""Characters that a known word must have: initials stand everywhere."""
MOST_KNOWN = 100
"""Known words looked for: each costs time at every character."""


def find_identifiers(text: str, known: Collection[str] = ()) -> tuple[Identifier, ...]:
    """The identifiers in a text, in order.

    Args:
        known: names and numbers of the patient or the author that came beside the text.
    """
    return merge([*find_patterns(text), *find_names(text), *_find_known(text, known)])


def _find_known(text: str, known: Collection[str]) -> Iterator[Identifier]:
    longest_first = sorted(set(known), key=lambda word: (-len(word), word))
    words = [word for word in longest_first[:MOST_KNOWN] if _can_identify(word)]
    if not words:
        return
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
    for match in pattern.finditer(text):
        if any(map(str.isdigit, match[0])):
            yield Identifier(*match.span(), IdentifierKind.NUMBER)
        elif match[0][0].isupper():
            yield Identifier(*match.span(), IdentifierKind.NAME)


def _can_identify(word: str) -> bool:
    """Whether a known word may be looked for: words that any note holds, such as `May` and `Rose`, are left."""
    return len(word) >= SHORTEST and word.strip(".,").lower() not in ORDINARY and not find_mentions(word)
