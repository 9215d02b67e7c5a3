"""The whole service on PostgreSQL, and input that only PostgreSQL would choke on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from services.audit.verify.notes import parse_key
from services.audit.verify.receipt import verify
from shared.auth import Role
from tests.services.audit.support import FULL_CARD, Audit, event, open_audit, put_through
from tests.support.common import TestBed

pytestmark = pytest.mark.postgres


@pytest.fixture
def audit(bed: TestBed, postgres_url: str) -> Iterator[Audit]:
    """The service on a PostgreSQL schema of its own."""
    url = sa.engine.make_url(postgres_url).update_query_dict({"options": "-csearch_path=audit"})
    with open_audit(bed, database_url=url.render_as_string(hide_password=False)) as running:
        yield running


def test_receipts_consents_models_and_queries_work_there_too(audit: Audit) -> None:
    placed = audit.append(*(event() for _ in range(300)))
    consent = {"patient": "MRN-7", "decision": "permit", "purpose": "TREAT", "modalities": ["image"]}
    given = audit.post("/consents", {**consent, "period": {"start": "2026-01-01T00:00:00+02:00"}}).json()
    withdrawn = audit.post(f"/consents/{given['id']}/withdraw").json()
    model = {"name": "m", "version": "1", "digest": "sha256:" + "a" * 64, "card": FULL_CARD}
    registered = audit.post("/models", model, Role.SERVICE).json()
    put_through(audit, registered["id"])
    active = audit.post(f"/models/{registered['id']}/promote", {"stage": "active"}, Role.ADMIN).json()
    found = audit.get("/audit/entries", objectId=given["id"]).json()["items"]
    receipt = audit.get(f"/audit/entries/{placed[-1]['index']}/receipt").content
    assert verify(receipt, [parse_key(audit.vkey)]).index == 299
    assert (withdrawn["version"], active["stage"]) == (2, "active")
    assert [entry["index"] for entry in found] == [withdrawn["index"], given["index"]]
    assert audit.get(f"/models/{registered['id']}/card").json() == FULL_CARD


def test_rich_consents_and_broken_glass_work_there_too(audit: Audit) -> None:
    consent = {
        "patient": "MRN-7", "decision": "permit", "purposes": ["TREAT", "HRESCH"], "modalities": ["image", "note"],
        "actors": [{"role": "clinician"}], "exceptions": [{"decision": "deny", "modalities": ["image"]}],
    }  # fmt: skip
    given = audit.post("/consents", consent).json()
    assert audit.get("/consents", patient="MRN-7").json()["items"] == [given]
    access = {"patient": "MRN-7", "modalities": ["image"], "reason": "Unconscious, no relatives."}
    opened = audit.post("/consents/break-glass", access).json()
    actor = {"issuer": "consilium-dev", "subject": opened["by"], "role": "clinician"}
    question = {"patient": "MRN-7", "purpose": "BTG", "modalities": ["image", "note"], "actor": actor}
    found = audit.post("/internal/audit/consent/decide", question, Role.SERVICE).json()["decisions"]
    assert [found[kind]["decision"] for kind in ("image", "note")] == ["permit", "permit"]
    reviewed = audit.post(f"/consents/break-glass/{opened['id']}/review", {"finding": "justified"}, Role.AUDITOR).json()
    listed = audit.get("/consents/break-glass", state="reviewed").json()["items"]
    assert (reviewed["state"], listed) == ("reviewed", [reviewed])


@pytest.mark.parametrize("path", ["/consents/a%00b/withdraw", "/models/a%00b/promote"])
def test_nul_in_a_path_is_refused(audit: Audit, path: str) -> None:
    assert audit.post(path, {"stage": "active"}, Role.CLINICIAN).status_code in (403, 422)


@pytest.mark.parametrize("patient", ["a\x00b", "\ud800"])
def test_text_that_no_database_takes_is_refused(audit: Audit, patient: str) -> None:
    import json

    body = json.dumps({"patient": patient, "decision": "permit", "purpose": "TREAT", "modalities": ["image"]})
    headers = {**audit.bed.headers(Role.CLINICIAN), "Content-Type": "application/json"}
    assert audit.client.post("/consents", content=body, headers=headers).status_code == 422


def test_3_service_does_not_start_on_a_database_that_could_lose_entries(bed: TestBed, postgres_url: str) -> None:
    weak = {"options": "-csearch_path=audit -csynchronous_commit=off"}
    url = sa.engine.make_url(postgres_url).update_query_dict(weak).render_as_string(hide_password=False)
    with pytest.raises(RuntimeError, match="synchronous_commit=off"), open_audit(bed, database_url=url):
        pass
