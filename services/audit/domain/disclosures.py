"""What of a patient's entries tells that somebody saw their data, and what of that left this organisation.

45 CFR 164.528 asks for an account of disclosures of the last six years: date, recipient, what, why. Which entries are
disclosures is the table in docs/reference/disclosures.md, and this module is that table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.audit.domain.entries import StoredEntry
from shared.auth import Role
from shared.contracts.base import Purpose

YEARS = 6
"""How far an account reaches back unless asked otherwise (45 CFR 164.528(a)(1))."""
OUTSIDE = frozenset({Role.EHR_SYSTEM, Role.RESEARCHER})
"""Callers of these roles stand outside: what they read has left."""
DELIVERED = frozenset({"dicom-deidentified"})
"""Deliveries out of the house, whoever asked for them. The other deliveries bring something in."""
LISTS = ("diagnoses", "ids", "instances", "cards")
"""Where `details` names what was seen when it was more than one thing."""
WHY = {
    Purpose.TREAT: "treatment of the patient",
    Purpose.ETREAT: "emergency treatment of the patient",
    Purpose.BTG: "emergency access against a denial",
    Purpose.HRESCH: "health-care research",
    Purpose.HOPERAT: "health-care operations",
    Purpose.RECORDMGT: "records management",
}

Exemption = Literal["treatment-or-operations", "de-identified"]


@dataclass(frozen=True)
class Seen:
    """That somebody saw something of a patient, as one entry tells of it."""

    index: int
    at: datetime
    type: str
    subtype: str
    outcome: str
    recipient: dict[str, str | None]
    """issuer, subject, client and role."""
    kind: str | None
    ids: tuple[str, ...]
    purpose: str | None
    request_id: str | None

    @property
    def why(self) -> str:
        """The purpose in words."""
        if self.purpose is None:
            return "not stated"
        return WHY[Purpose(self.purpose)] if self.purpose in set(Purpose) else self.purpose

    @property
    def exemption(self) -> Exemption | None:
        """Why 164.528(a)(1) does not ask for an account of it, if so; it is told all the same."""
        if self.subtype in DELIVERED:
            return "de-identified"
        operations = {Purpose.TREAT, Purpose.ETREAT, Purpose.BTG, Purpose.HOPERAT}
        return "treatment-or-operations" if self.purpose in operations else None


def seen(stored: StoredEntry) -> Seen | None:
    """What an entry tells of somebody who saw something; None where it tells of something else.

    BALP's actions read and execute are looks at data; create, update and delete are not.
    """
    event: dict[str, Any] = json.loads(stored.entry)["event"]
    if event["action"] not in ("R", "E"):
        return None
    actor, thing, details = event["actor"], event.get("object") or {}, event.get("details", {})
    listed = [one for name in LISTS if isinstance(details.get(name), list) for one in details[name]]
    return Seen(
        index=stored.index,
        at=datetime.fromisoformat(event["occurredAt"]),
        type=event["type"],
        subtype=event["subtype"],
        outcome=event["outcome"],
        recipient={name: actor.get(field) for name, field in _RECIPIENT.items()},
        kind=thing.get("kind"),
        ids=(thing["id"],) if thing.get("id") else tuple(map(str, listed)),
        purpose=event.get("purposeOfUse"),
        request_id=event.get("requestId"),
    )


_RECIPIENT = {"issuer": "issuer", "subject": "subject", "client": "clientId", "role": "role"}


def is_disclosure(one: Seen) -> bool:
    """Whether what was seen left this organisation."""
    if one.outcome != "success":
        return False
    if one.type == "delivery":
        return one.subtype in DELIVERED
    return one.type == "read" and one.recipient["role"] in OUTSIDE
