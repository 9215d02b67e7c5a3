"""The columns of a table of entries, for people and their tools. The leaf stands beside them and is the truth."""

from __future__ import annotations

import json
from typing import Any

from services.audit.domain.entries import StoredEntry

TEXTS = (
    "type", "subtype", "action", "outcome", "outcomeReason", "issuer", "actor", "role", "client", "purpose",
    "subjectRef", "objectKind", "objectId", "model", "consent", "producer", "requestId", "eventId",
)  # fmt: skip
TIMES = ("receivedAt", "occurredAt")
NAMES = ("index", *TIMES, *TEXTS, "leafHash", "leaf", "proof")


def told(stored: StoredEntry) -> dict[str, str | None]:
    """Times and texts of an entry, by column; what it does not say is None."""
    leaf = json.loads(stored.entry)
    event: dict[str, Any] = leaf["event"]
    actor, thing = event["actor"], event.get("object") or {}
    named = ("type", "subtype", "action", "outcome", "outcomeReason", "subjectRef", "producer", "requestId", "eventId")
    model = event.get("details", {}).get("bundleDigest")
    return {
        "receivedAt": leaf["receivedAt"],
        "occurredAt": event["occurredAt"],
        **{name: event.get(name) for name in named},
        "issuer": actor["issuer"],
        "actor": actor["subject"],
        "role": actor["role"],
        "client": actor.get("clientId"),
        "purpose": event.get("purposeOfUse"),
        "objectKind": thing.get("kind"),
        "objectId": thing.get("id"),
        "model": model if isinstance(model, str) else None,
        "consent": (event.get("consent") or {}).get("decision"),
    }
