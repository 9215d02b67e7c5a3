"""Conditional reads (RFC 9110, 13): whoever has an answer already learns that it still holds, and is shown nothing."""

from __future__ import annotations

from typing import Any

from shared.digests import digest_json


def entity_tag(reader: str, content: Any) -> str:
    """A weak entity tag (RFC 9110, 8.8.3) of JSON content as one reader was given it: of no use to another."""
    return f'W/"{digest_json([reader, content]).removeprefix("sha256:")}"'


def still_holds(tag: str, if_none_match: str | None) -> bool:
    """Whether one of the tags of an `If-None-Match` header is this one. `*` asks for nothing that we have said."""
    held = (one.strip().removeprefix("W/") for one in (if_none_match or "").split(","))
    return tag.removeprefix("W/") in held
