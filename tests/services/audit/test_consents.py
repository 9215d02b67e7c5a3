"""Consents over the wire: given, superseded, withdrawn, decided by, and logged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared.auth import Role
from tests.services.audit.support import Audit, open_audit
from tests.support.common import TestBed


def _consent(**more: Any) -> dict[str, Any]:
    plain = {"patient": "MRN-7", "decision": "permit", "purpose": "TREAT", "modalities": ["image", "note", "vitals"]}
    return {**plain, **more}


def _decide(audit: Audit, patient: str = "MRN-7", purpose: str = "TREAT") -> dict[str, str]:
    body = {"patient": patient, "purpose": purpose, "modalities": ["image", "note", "vitals"]}
    answer = audit.post("/internal/audit/consent/decide", body, Role.SERVICE)
    return {modality: basis["decision"] for modality, basis in answer.json()["decisions"].items()}


def _epoch(audit: Audit) -> int:
    body = {"patient": "MRN-7", "purpose": "TREAT", "modalities": ["image"]}
    epoch: int = audit.post("/internal/audit/consent/decide", body, Role.SERVICE).json()["epoch"]
    return epoch


def test_without_consent_nothing_may_be_used(audit: Audit) -> None:
    assert set(_decide(audit).values()) == {"deny"}


def test_consent_permits_the_modalities_it_names(audit: Audit) -> None:
    answer = audit.post("/consents", _consent(modalities=["image", "note"]))
    assert answer.status_code == 201
    assert _decide(audit) == {"image": "permit", "note": "permit", "vitals": "deny"}


def test_consent_is_for_its_purpose_only(audit: Audit) -> None:
    audit.post("/consents", _consent(purpose="HRESCH"))
    assert set(_decide(audit, purpose="TREAT").values()) == {"deny"}


def test_consent_is_for_its_patient_only(audit: Audit) -> None:
    audit.post("/consents", _consent())
    assert set(_decide(audit, patient="MRN-8").values()) == {"deny"}


def test_later_consent_supersedes_for_the_modalities_it_names(audit: Audit) -> None:
    audit.post("/consents", _consent())
    audit.post("/consents", _consent(decision="deny", modalities=["note"]))
    assert _decide(audit) == {"image": "permit", "note": "deny", "vitals": "permit"}


def test_withdrawn_consent_denies(audit: Audit) -> None:
    given = audit.post("/consents", _consent()).json()
    withdrawn = audit.post(f"/consents/{given['id']}/withdraw").json()
    assert (withdrawn["version"], withdrawn["status"]) == (2, "withdrawn")
    assert set(_decide(audit).values()) == {"deny"}


def test_withdrawing_again_changes_nothing(audit: Audit) -> None:
    given = audit.post("/consents", _consent()).json()
    first = audit.post(f"/consents/{given['id']}/withdraw").json()
    assert audit.post(f"/consents/{given['id']}/withdraw").json() == first
    assert _epoch(audit) == 2


def test_epoch_grows_with_every_change(audit: Audit) -> None:
    epochs = [_epoch(audit)]
    given = audit.post("/consents", _consent()).json()
    epochs.append(_epoch(audit))
    audit.post(f"/consents/{given['id']}/withdraw")
    epochs.append(_epoch(audit))
    assert epochs == sorted(set(epochs))


def test_expired_consent_denies(bed: TestBed) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC)]
    with open_audit(bed, clock=lambda: moments[-1]) as audit:
        audit.post("/consents", _consent(period={"end": "2026-02-01T00:00:00Z"}))
        during = _decide(audit)
        moments.append(moments[0] + timedelta(days=31))
        assert (set(during.values()), set(_decide(audit).values())) == ({"permit"}, {"deny"})


def test_opt_out_purpose_permits_without_a_consent(bed: TestBed) -> None:
    with open_audit(bed, consent_policy={"TREAT": "opt-out"}) as audit:
        assert set(_decide(audit).values()) == {"permit"}


def test_decision_names_consent_and_policy(audit: Audit) -> None:
    given = audit.post("/consents", _consent()).json()
    body = {"patient": "MRN-7", "purpose": "TREAT", "modalities": ["image"]}
    basis = audit.post("/internal/audit/consent/decide", body, Role.SERVICE).json()["decisions"]["image"]
    assert basis["consentIds"] == [given["id"]]
    assert basis["policyDigest"].startswith("sha256:")


def test_consents_of_a_patient_are_listed_oldest_first(audit: Audit) -> None:
    first = audit.post("/consents", _consent()).json()
    second = audit.post("/consents", _consent(decision="deny")).json()
    listed = audit.get("/consents", patient="MRN-7").json()
    assert (listed["items"], listed["epoch"]) == ([first, second], 2)


def test_consent_change_is_in_the_log_under_a_pseudonym(audit: Audit) -> None:
    given = audit.post("/consents", _consent()).json()
    leaf = audit.get(f"/audit/entries/{given['index']}").json()["leaf"]
    assert leaf["event"]["object"]["id"] == given["id"]
    assert leaf["event"]["subjectRef"] == given["subjectRef"]
    assert "MRN-7" not in str(leaf)


def test_reading_a_patients_consents_is_in_the_log(audit: Audit) -> None:
    audit.get("/consents", patient="MRN-7")
    (entry,) = audit.get("/audit/entries", subtype="consents-read").json()["items"]
    assert entry["leaf"]["event"]["actor"]["role"] == "auditor"


RICH = {
    "purpose": None,
    "purposes": ["TREAT", "HRESCH"],
    "period": {"start": "2026-01-01T00:00:00Z", "end": "2127-01-01T00:00:00Z"},
    "actors": [{"role": "clinician", "subject": None, "clientId": "ward-7"}],
    "exceptions": [
        {"decision": "deny", "purposes": ["HRESCH"], "modalities": ["note"], "actors": [],
         "period": {"start": "2026-02-01T00:00:00Z", "end": None}},
    ],
    "policyUri": "https://hospital.example/policies/7",
    "sourceDigest": "sha256:" + "a" * 64,
}  # fmt: skip


def test_everything_a_consent_says_is_kept(audit: Audit) -> None:
    answer = audit.post("/consents", _consent(**RICH))
    assert answer.status_code == 201
    listed = audit.get("/consents", patient="MRN-7").json()["items"]
    assert listed == [answer.json()]
    kept = {name: answer.json()[name] for name in RICH}
    assert kept == {**RICH, "purpose": "TREAT"}


def test_actors_and_exceptions_decide(audit: Audit) -> None:
    audit.post("/consents", _consent(**RICH))
    actor = {"issuer": "idp", "subject": "s", "role": "clinician", "clientId": "ward-7"}

    def _of(purpose: str, who: dict[str, str] | None) -> list[str]:
        body = {"patient": "MRN-7", "purpose": purpose, "modalities": ["image", "note"], "actor": who}
        found = audit.post("/internal/audit/consent/decide", body, Role.SERVICE).json()["decisions"]
        return [found[kind]["decision"] for kind in ("image", "note")]

    assert _of("TREAT", actor) == ["permit", "permit"]
    assert _of("HRESCH", actor) == ["permit", "deny"]
    assert _of("TREAT", {**actor, "clientId": "ward-8"}) == _of("TREAT", None) == ["deny", "deny"]


def test_versions_of_a_consent_are_all_readable(audit: Audit) -> None:
    given = audit.post("/consents", _consent(**RICH)).json()
    withdrawn = audit.post(f"/consents/{given['id']}/withdraw").json()
    found = audit.get(f"/consents/{given['id']}/versions").json()["items"]
    assert found[0] | {"status": "active"} == given
    assert found[1] == withdrawn
    (entry,) = audit.get("/audit/entries", subtype="consent-history-read").json()["items"]
    assert entry["leaf"]["event"]["object"]["id"] == given["id"]


def test_versions_of_no_consent_are_not_found(audit: Audit) -> None:
    assert audit.get("/consents/none/versions").status_code == 404


def test_the_log_commits_to_all_that_a_consent_says_and_shows_no_recipient(audit: Audit) -> None:
    given = audit.post("/consents", _consent(**RICH)).json()
    event = audit.get(f"/audit/entries/{given['index']}").json()["leaf"]["event"]
    assert event["object"]["digest"].startswith("hmac:")
    assert (event["details"]["recipients"], event["details"]["exceptions"]) == (1, 1)
    assert "ward-7" not in str(event)


def test_a_consent_from_before_has_one_purpose(audit: Audit) -> None:
    given = audit.post("/consents", _consent()).json()
    with audit.app.state.audit.sessions.begin() as session:
        session.execute(sa.text("UPDATE consent SET purposes = NULL, recipients = NULL, exceptions = NULL"))
    assert audit.get("/consents", patient="MRN-7").json()["items"] == [given]


def test_a_decision_stands_with_the_digest_of_what_it_was_decided_on(audit: Audit) -> None:
    def _digest() -> str:
        body = {"patient": "MRN-7", "purpose": "TREAT", "modalities": ["image"]}
        answer = audit.post("/internal/audit/consent/decide", body, Role.SERVICE).json()
        digest: str = answer["decisions"]["image"]["digest"]
        return digest

    before = _digest()
    audit.post("/consents", _consent())
    assert _digest() != before


def test_consents_survive_a_restart(bed: TestBed) -> None:
    with open_audit(bed) as audit:
        given = audit.post("/consents", _consent()).json()
    with open_audit(bed) as audit:
        assert audit.get("/consents", patient="MRN-7").json()["items"] == [given]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"patient": ""}, "patient"),
        ({"patient": "x" * 65}, "patient"),
        ({"patient": "a\x00b"}, "patient"),
        ({"decision": "maybe"}, "decision"),
        ({"purpose": "FUN"}, "purpose"),
        ({"modalities": []}, "modalities"),
        ({"modalities": ["genome"]}, "modalities.0"),
        ({"period": {"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}}, "period"),
        ({"period": {"start": "2026-02-01T00:00:00"}}, "period.start"),
        ({"surprise": 1}, "surprise"),
        ({"purpose": None}, "body"),
        ({"purposes": ["TREAT"]}, "body"),
        ({"actors": [{}]}, "actors.0"),
        ({"actors": [{"role": "plumber"}]}, "actors.0.role"),
        ({"exceptions": [{"decision": "permit"}]}, "body"),
        ({"exceptions": [{"decision": "deny", "purposes": ["HRESCH"]}]}, "body"),
        ({"exceptions": [{"decision": "deny", "why": "x"}]}, "exceptions.0.why"),
        ({"policyUri": "javascript:alert(1)"}, "policyUri"),
        ({"sourceDigest": "md5:0"}, "sourceDigest"),
    ],
)
def test_malformed_consent_is_refused_naming_the_field(audit: Audit, change: dict[str, Any], field: str) -> None:
    answer = audit.post("/consents", _consent(**change))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert field in {error["field"] for error in answer.json()["errors"]}


def test_listing_without_a_patient_is_refused(audit: Audit) -> None:
    assert audit.get("/consents").json()["errors"][0]["field"] == "query.patient"


def test_unknown_consent_is_not_found(audit: Audit) -> None:
    assert audit.post("/consents/none/withdraw").status_code == 404


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_only_clinicians_and_the_ehr_give_consents(audit: Audit, role: Role) -> None:
    assert audit.post("/consents", _consent(), role).status_code == 403


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR, Role.ADMIN])
def test_only_services_ask_for_decisions(audit: Audit, role: Role) -> None:
    body = {"patient": "MRN-7", "purpose": "TREAT", "modalities": ["image"]}
    assert audit.post("/internal/audit/consent/decide", body, role).status_code == 403
