"""Identifiers as spans of a text, and the text without them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class IdentifierKind(StrEnum):
    """What an identifier is."""

    NAME = "name"
    DATE = "date"
    NUMBER = "number"
    """Of a record, an account, an insurance, a person."""
    PHONE = "phone"
    EMAIL = "email"
    ADDRESS = "address"
    URL = "url"


@dataclass(frozen=True)
class Identifier:
    """Characters [start, end) that identify somebody."""

    start: int
    end: int
    kind: IdentifierKind


def merge(found: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """In order and without overlaps: what overlaps becomes one span, of the kind that begins first."""
    merged: list[Identifier] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if merged and one.start < merged[-1].end:
            last = merged.pop()
            one = Identifier(last.start, max(last.end, one.end), last.kind)
        merged.append(one)
    return tuple(merged)


def mask(text: str, identifiers: Iterable[Identifier]) -> str:
    """The text with spaces in the place of identifiers: nothing moves, and a model reads on as if they were not there.

    Line ends stay, because sections hang on them.
    """
    parts, last = [], 0
    for one in identifiers:
        parts += [text[last : one.start], re.sub(r"[^\r\n]", " ", text[one.start : one.end])]
        last = one.end
    return "".join([*parts, text[last:]])
