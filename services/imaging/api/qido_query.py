"""The query parameters of a search (PS3.18 section 8.3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag

from services.imaging.dicom.json_model import tag_of
from services.imaging.errors import MalformedQuery
from shared.errors import FieldProblem

DEFAULT_LIMIT = 100


@dataclass(frozen=True)
class Query:
    """A parsed search."""

    matching: tuple[tuple[str, str], ...]
    """(keyword, value) of the attributes that must match."""
    include: Sequence[str] | None
    """Keywords to tell beyond those of the level; None for all."""
    limit: int
    offset: int
    fuzzy: bool = False
    """Whether fuzzy matching was asked for. It is optional (PS3.18 section 8.3.4.2), and is not done here."""

    @classmethod
    def parse(cls, parameters: Iterable[tuple[str, str]], max_limit: int) -> Query:
        """Raises: MalformedQuery: a name that is neither an attribute nor a parameter, or a value that is no number."""
        matching, include, everything, fuzzy = [], [], False, False
        limit, offset = min(DEFAULT_LIMIT, max_limit), 0
        for name, value in parameters:
            if name == "limit":
                limit = min(_number(name, value), max_limit)
            elif name == "offset":
                offset = _number(name, value)
            elif name == "includefield":
                everything = everything or value == "all"
                include += [] if value == "all" else [_keyword(field) for field in value.split(",") if field]
            elif name == "fuzzymatching":
                fuzzy = value.lower() == "true"
            else:
                # An empty value is universal matching (PS3.4 C.2.2.2.3): it asks for the attribute.
                (matching.append((_keyword(name), value)) if value else include.append(_keyword(name)))
        return cls(tuple(matching), None if everything else tuple(dict.fromkeys(include)), limit, offset, fuzzy)


def _number(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise _malformed(name, "is not a whole number", "use a number from 0")
    return int(value)


def _keyword(name: str) -> str:
    tag = tag_of(name)
    keyword = keyword_for_tag(int(tag, 16)) if tag else ""
    if not keyword:
        raise _malformed(
            "query",
            "names no DICOM attribute",
            "use DICOM keywords or tags, limit, offset, includefield, fuzzymatching",
        )
    return keyword


def _malformed(field: str, problem: str, fix: str) -> MalformedQuery:
    return MalformedQuery(
        f"The search is not well formed: {field} {problem}.", fields=[FieldProblem(field, problem, fix)]
    )
