"""The card as an HL7 FHIR R4 DocumentReference, with the card itself in it in three forms."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from services.audit.cards import chai, html
from services.audit.cards.content import CardContent
from services.audit.domain.registry import Stage
from shared.clock import rfc3339

MEDIA_TYPE = "application/fhir+json"
IDENTIFIER = "urn:ietf:rfc:3986"


def document_reference(content: CardContent) -> dict[str, Any]:
    """A DocumentReference; a retired bundle's card is superseded."""
    bundle = content.bundle
    card = json.dumps(bundle.card, ensure_ascii=False, sort_keys=True).encode()
    forms = [
        ("application/json", card),
        (chai.MEDIA_TYPE, chai.applied_model_card(content)),
        (html.MEDIA_TYPE, html.page(content).encode()),
    ]
    title = f"Model card of {bundle.name} {bundle.version}"
    return {
        "resourceType": "DocumentReference",
        "id": bundle.id,
        "masterIdentifier": {"system": IDENTIFIER, "value": f"urn:uuid:{bundle.id}"},
        "status": "superseded" if content.stage is Stage.RETIRED else "current",
        "docStatus": "final",
        "type": {"text": "Model card (45 CFR 170.315(b)(11)(iv)(B))"},
        "date": rfc3339(bundle.registered_at),
        "description": title,
        "content": [
            {
                "attachment": {
                    "contentType": media_type,
                    "data": base64.b64encode(body).decode(),
                    "size": len(body),
                    "hash": base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode(),
                    "title": title,
                }
            }
            for media_type, body in forms
        ],
    }
