"""What an entry says, and whether the copies that the database keeps of it say the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from .faults import plain

# What `json.loads` does at last; with nothing around it a long log is checked in a tenth less time.
_parse = json.JSONDecoder().raw_decode
HEAD, RECEIVED, TIME_CHARS = b'{"event":', b',"receivedAt":"', 27
TAIL = len(RECEIVED) + TIME_CHARS + 2
"""A leaf ends `,"receivedAt":"2026-01-31T08:00:00.000000Z"}`."""


class Columns(NamedTuple):
    """The copies of a leaf's fields; times as `2026-01-31 08:00:00.000000` in UTC."""

    leaf_hash: bytes
    body_digest: bytes
    received_at: str
    occurred_at: str
    event_id: str
    producer: str
    producer_seq: int | None
    type: str
    subtype: str
    outcome: str
    actor: str
    subject_ref: str | None
    object_id: str | None
    purpose: str | None
    model: str | None


class Row(NamedTuple):
    """One stored entry; `columns` is None where the source has nothing but the entries."""

    idx: int
    entry: bytes
    columns: Columns | None = None


def event_of(entry: bytes) -> dict[str, Any] | None:
    """The event in a leaf; None if it is not a leaf of ours."""
    try:
        text = entry.decode()
        leaf, end = _parse(text)
        event: dict[str, Any] = leaf["event"]
        event["actor"]["subject"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return event if end == len(text) else None


def wrong_columns(columns: Columns, entry: bytes, event: dict[str, Any], leaf: bytes) -> list[str]:
    """The names of the copies that are not what the leaf says. The leaf's hash is given."""
    thing = event.get("object")
    true = (
        leaf,
        hashlib.sha256(entry[len(HEAD) : -TAIL]).digest(),
        stored_time(entry[-TIME_CHARS - 2 : -2].decode("ascii", "replace")),
        stored_time(event["occurredAt"]),
        event["eventId"],
        event["producer"],
        event.get("producerSeq"),
        event["type"],
        event["subtype"],
        event["outcome"],
        event["actor"]["subject"],
        event.get("subjectRef"),
        thing["id"] if thing else None,
        event.get("purposeOfUse"),
        model if isinstance(model := event.get("details", {}).get("bundleDigest"), str) else None,
    )
    if columns == true:
        return []
    return [name for name, stored, said in zip(Columns._fields, columns, true, strict=True) if stored != said]


def stored_time(text: str) -> str:
    """An RFC 3339 time of the log as the databases spell it."""
    return f"{text[:10]} {text[11:26]}"


def summarise(entry: bytes) -> dict[str, str]:
    """What an entry says, in plain words by name; nothing where it is not one of our leaves."""
    try:
        leaf = json.loads(entry)
        event, actor = leaf["event"], leaf["event"]["actor"]
        found = {
            "what": f"{event['type']} / {event['subtype']}: {event['outcome']}",
            "when": event["occurredAt"],
            "received": leaf["receivedAt"],
            "by": f"{actor['role']} {actor['subject']}",
            "patient": event.get("subjectRef"),
            "object": " ".join(str(event["object"][part]) for part in ("kind", "id")) if event.get("object") else None,
            "digest": (event.get("object") or {}).get("digest"),
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: plain(str(value)) for name, value in found.items() if value is not None}
