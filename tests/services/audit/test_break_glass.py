"""Breaking the glass over the wire: opened, told, reviewed by another person, overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.auth import Role
from tests.services.audit.support import Audit, open_audit
from tests.support.common import TestBed

REASON = "Unconscious in the emergency room, no relatives."
ISSUER = "consilium-dev"


def _open(audit: Audit, subject: str = "dr-hill", **more: Any) -> Any:
    body = {"patient": "MRN-7", "modalities": ["image"], "reason": REASON, **more}
    return audit.client.post("/consents/break-glass", json=body, headers=audit.bed.headers(Role.CLINICIAN, subject))


def _review(audit: Audit, access: str, subject: str, role: Role = Role.AUDITOR) -> Any:
    body = {"finding": "justified", "comment": "The record supports it."}
    path = f"/consents/break-glass/{access}/review"
    return audit.client.post(path, json=body, headers=audit.bed.headers(role, subject))


def _decide(audit: Audit, purpose: str, subject: str = "dr-hill") -> Any:
    actor = {"issuer": ISSUER, "subject": subject, "role": "clinician"}
    body = {"patient": "MRN-7", "purpose": purpose, "modalities": ["image", "note"], "actor": actor}
    found = audit.post("/internal/audit/consent/decide", body, Role.SERVICE).json()["decisions"]
    return [found[kind]["decision"] for kind in ("image", "note")]


def _listed(audit: Audit, state: str) -> list[str]:
    return [item["id"] for item in audit.get("/consents/break-glass", state=state).json()["items"]]


def test_it_opens_for_the_emergency_and_the_person_alone(audit: Audit) -> None:
    assert _decide(audit, "BTG") == ["deny", "deny"]
    assert _open(audit).status_code == 201
    assert _decide(audit, "BTG") == ["permit", "deny"]
    assert _decide(audit, "TREAT") == _decide(audit, "BTG", "dr-lake") == ["deny", "deny"]


def test_it_is_in_the_log_without_its_words(audit: Audit) -> None:
    access = _open(audit).json()
    event = audit.get(f"/audit/entries/{access['index']}").json()["leaf"]["event"]
    assert (event["type"], event["subtype"], event["purposeOfUse"]) == ("break-glass", "break-glass-opened", "BTG")
    assert event["actor"]["subject"] == "dr-hill"
    assert "Unconscious" not in str(event)
    assert "MRN-7" not in str(event)


def test_another_person_reviews_it_once(audit: Audit) -> None:
    access = _open(audit).json()
    assert _listed(audit, "open") == [access["id"]]
    reviewed = _review(audit, access["id"], "auditor-1")
    assert (reviewed.status_code, reviewed.json()["state"], reviewed.json()["review"]["by"]) == (
        200, "reviewed", "auditor-1",
    )  # fmt: skip
    assert (_listed(audit, "open"), _listed(audit, "reviewed")) == ([], [access["id"]])
    again = _review(audit, access["id"], "auditor-2")
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == (409, "already-reviewed")
    (entry,) = audit.get("/audit/entries", subtype="break-glass-reviewed").json()["items"]
    assert entry["leaf"]["event"]["details"] == {"finding": "justified", "overdue": False}


def test_nobody_reviews_their_own(audit: Audit) -> None:
    access = _open(audit).json()
    answer = _review(audit, access["id"], "dr-hill", Role.CLINICIAN)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "own-access")
    assert _listed(audit, "open") == [access["id"]]


def test_a_review_of_nothing_is_not_found(audit: Audit) -> None:
    assert _review(audit, "none", "auditor-1").status_code == 404


def test_time_closes_it_and_makes_its_review_overdue(bed: TestBed) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC)]
    with open_audit(bed, clock=lambda: moments[-1], break_glass_open_minutes=30) as audit:
        access = _open(audit).json()
        assert access["expiresAt"] == "2026-01-01T00:30:00Z"
        moments.append(moments[0] + timedelta(minutes=30))
        assert _decide(audit, "BTG") == ["deny", "deny"]
        assert _listed(audit, "overdue") == []
        moments.append(moments[0] + timedelta(hours=24))
        assert _listed(audit, "overdue") == _listed(audit, "open") == [access["id"]]
        metrics = audit.get("/metrics", Role.ADMIN).text
        assert "consilium_consent_break_glass_overdue 1.0" in metrics
        assert "consilium_consent_break_glass_unreviewed 1.0" in metrics


def test_opening_is_counted(audit: Audit) -> None:
    def _count() -> float:
        lines = audit.get("/metrics", Role.ADMIN).text.splitlines()
        name = 'consilium_consent_break_glass_total{purpose="ETREAT"} '
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = _count()
    _open(audit, purpose="ETREAT")
    assert _count() == before + 1


def test_an_express_denial_of_emergencies_stands(audit: Audit) -> None:
    audit.post("/consents", {"patient": "MRN-7", "decision": "deny", "purpose": "BTG", "modalities": ["image"]})
    _open(audit)
    assert _decide(audit, "BTG") == ["deny", "deny"]


def test_what_cannot_be_recorded_is_not_opened(audit: Audit) -> None:
    audit.app.state.audit.sequencer.damage = "The tiles are not those that were signed."
    assert _open(audit).status_code == 503
    assert _decide(audit, "BTG") == ["deny", "deny"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": "short"}, "reason"), ({"reason": None}, "reason"), ({"purpose": "TREAT"}, "purpose"),
        ({"modalities": []}, "modalities"), ({"minutes": 600}, "minutes"),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused_naming_the_field(audit: Audit, change: dict[str, Any], field: str) -> None:
    answer = _open(audit, **change)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.EHR_SYSTEM, Role.RESEARCHER, Role.SERVICE])
def test_only_clinicians_break_the_glass(audit: Audit, role: Role) -> None:
    body = {"patient": "MRN-7", "modalities": ["image"], "reason": REASON}
    assert audit.post("/consents/break-glass", body, role).status_code == 403
