"""What the readable columns of a table must say, given the leaf that stands beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .entries import TIME_CHARS

PLAIN = {
    "type": "type", "subtype": "subtype", "action": "action", "outcome": "outcome", "outcomeReason": "outcomeReason",
    "purpose": "purposeOfUse", "subjectRef": "subjectRef", "producer": "producer", "requestId": "requestId",
    "eventId": "eventId",
}  # fmt: skip
OF_ACTOR = {"issuer": "issuer", "actor": "subject", "role": "role", "client": "clientId"}
OF_OBJECT = {"objectKind": "kind", "objectId": "id"}
NAMES = (
    "index", "receivedAt", "occurredAt", "type", "subtype", "action", "outcome", "outcomeReason", "issuer", "actor",
    "role", "client", "purpose", "subjectRef", "objectKind", "objectId", "model", "consent", "producer", "requestId",
    "eventId", "leafHash", "leaf", "proof",
)  # fmt: skip


def said_by(entry: bytes, event: Mapping[str, Any]) -> dict[str, Any]:
    """Times and texts by column. Raises: KeyError, TypeError, AttributeError: the event is not one of ours."""
    thing, details = event.get("object") or {}, event.get("details") or {}
    model = details.get("bundleDigest")
    return {
        "receivedAt": entry[-TIME_CHARS - 2 : -2].decode("ascii", "replace"),
        "occurredAt": event["occurredAt"],
        **{name: event.get(field) for name, field in PLAIN.items()},
        **{name: event["actor"].get(field) for name, field in OF_ACTOR.items()},
        **{name: thing.get(field) for name, field in OF_OBJECT.items()},
        "model": model if isinstance(model, str) else None,
        "consent": (event.get("consent") or {}).get("decision"),
    }
