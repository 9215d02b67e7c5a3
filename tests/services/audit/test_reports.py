"""Who saw what of a patient, and what was disclosed to whom."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from services.audit.usecases import reports
from shared.auth import Role
from tests.services.audit.support import Audit, event, open_audit
from tests.support.common import TestBed

NOW = datetime(2026, 2, 28, 12, tzinfo=UTC)
ACTORS = {
    role: {"issuer": "idp", "subject": f"a-{role}", "role": str(role), "clientId": "=app"}
    for role in (Role.CLINICIAN, Role.EHR_SYSTEM, Role.RESEARCHER)
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def audit(request: pytest.FixtureRequest, bed: TestBed) -> Iterator[Audit]:
    """The service on each kind of database, at a fixed time."""
    more = {}
    if request.param == "postgres":
        url = sa.engine.make_url(request.getfixturevalue("postgres_url"))
        options = {"options": "-csearch_path=audit"}
        more["database_url"] = url.update_query_dict(options).render_as_string(hide_password=False)
    with open_audit(bed, clock=lambda: NOW, **more) as running:
        yield running


def _of(audit: Audit, patient: str, role: Role, **more: Any) -> dict[str, Any]:
    pseudonyms = audit.app.state.audit.events.pseudonyms
    plain = {"occurredAt": "2026-01-05T00:00:00Z", "purposeOfUse": "TREAT", "object": {"kind": "note", "id": "n-1"}}
    return event(subjectRef=pseudonyms.patient("default", patient), actor=ACTORS[role], **{**plain, **more})


@pytest.fixture
def told(audit: Audit) -> Audit:
    """A log in which something of MRN-7 was seen in every way that there is."""
    export = {
        "type": "delivery", "subtype": "dicom-deidentified", "purposeOfUse": "HRESCH",
        "object": {"kind": "image", "id": ""}, "details": {"instances": ["i-1", "i-2"]},
    }  # fmt: skip
    audit.append(
        _of(audit, "MRN-7", Role.CLINICIAN),
        _of(audit, "MRN-7", Role.EHR_SYSTEM, subtype="diagnostic-report-read", requestId="r-1"),
        _of(audit, "MRN-8", Role.EHR_SYSTEM),
        _of(audit, "MRN-7", Role.RESEARCHER, **export),
        _of(audit, "MRN-7", Role.RESEARCHER, **export, outcome="refused"),
        _of(audit, "MRN-7", Role.EHR_SYSTEM, type="delivery", subtype="observation-created", action="C"),
        _of(audit, "MRN-7", Role.EHR_SYSTEM, type="ingest", subtype="note-stored", action="C"),
        _of(audit, "MRN-7", Role.EHR_SYSTEM, occurredAt="2020-02-28T11:59:59Z"),
        _of(audit, "MRN-7", Role.EHR_SYSTEM, occurredAt="2020-02-28T12:00:00Z", purposeOfUse=None),
    )
    return audit


def _asked(audit: Audit, report: str, **body: Any) -> Any:
    answer = audit.post(f"/audit/{report}", {"patient": "MRN-7", **body}, Role.AUDITOR)
    assert answer.status_code == 200, answer.text
    return answer


def test_disclosures_are_what_left_in_the_last_six_years(told: Audit) -> None:
    found = _asked(told, "disclosures").json()
    assert [(item["index"], item["purpose"], item["exemption"], item["ids"]) for item in found["items"]] == [
        (1, "TREAT", "treatment-or-operations", ["n-1"]),
        (3, "HRESCH", "de-identified", ["i-1", "i-2"]),
        (8, None, None, ["n-1"]),
    ]
    assert (found["from"], found["checkpoint"]["size"]) == ("2020-02-28T12:00:00Z", 9)


def test_a_disclosure_says_when_to_whom_what_and_why(told: Audit) -> None:
    item = _asked(told, "disclosures").json()["items"][0]
    assert item["recipient"] == {"issuer": "idp", "subject": "a-ehr-system", "client": "=app", "role": "ehr-system"}
    assert (item["at"], item["kind"], item["why"]) == ("2026-01-05T00:00:00Z", "note", "treatment of the patient")


def test_accesses_are_all_looks_the_refused_too(told: Audit) -> None:
    found = _asked(told, "accesses").json()["items"]
    assert [(item["index"], item["outcome"]) for item in found] == [
        (0, "success"), (1, "success"), (3, "success"), (4, "refused"), (8, "success"),
    ]  # fmt: skip


def test_reports_heed_their_time(told: Audit) -> None:
    found = _asked(told, "accesses", **{"from": "2020-01-01T00:00:00Z", "to": "2020-02-28T12:00:00Z"}).json()
    assert [item["index"] for item in found["items"]] == [7]


@pytest.mark.parametrize("report", ["disclosures", "accesses"])
def test_a_report_begins_no_earlier_than_the_calendar(told: Audit, report: str) -> None:
    found = _asked(told, report, to="0003-01-02T00:00:00Z").json()
    assert (found["from"], found["items"]) == ("0001-01-02T00:00:00Z", [])


@pytest.mark.parametrize("report", ["disclosures", "accesses"])
def test_34_a_report_is_a_sheet_too_without_formulas(told: Audit, report: str) -> None:
    answer = _asked(told, report, format="csv")
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    as_json = _asked(told, report).json()["items"]
    if report == "accesses":
        # The question for the sheet is an access by the time of the next one.
        as_json = as_json[:-1] if as_json[-1]["subtype"] == "accesses-reported" else as_json
    assert [int(row[0]) for row in rows] == [item["index"] for item in as_json]
    assert {row[header.index("client")] for row in rows} == {"'=app"}
    assert answer.headers["content-type"].startswith("text/csv")


def test_41_asking_for_a_report_is_an_entry_about_the_patient(told: Audit) -> None:
    _asked(told, "disclosures")
    newest = told.get("/audit/entries", subtype="disclosures-reported").json()["items"][0]["leaf"]["event"]
    pseudonym = told.app.state.audit.events.pseudonyms.patient("default", "MRN-7")
    assert (newest["type"], newest["subjectRef"], newest["actor"]["role"]) == ("query", pseudonym, "auditor")
    assert "MRN-7" not in json.dumps(newest)


def test_a_report_that_is_too_long_says_what_to_do(told: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_ROWS", 2)
    answer = told.post("/audit/accesses", {"patient": "MRN-7"}, Role.AUDITOR)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "from")


@pytest.mark.parametrize(
    "body",
    [{}, {"patient": "a", "subjectRef": "pat-" + "a" * 32}, {"subjectRef": "MRN-7"},
     {"patient": "a", "from": "2026-01-01"}, {"patient": "a", "to": "0001-01-01T00:00:00+01:00"},
     {"patient": "a", "format": "xml"}, {"patient": "a", "surprise": 1}],
)  # fmt: skip
@pytest.mark.parametrize("report", ["disclosures", "accesses"])
def test_a_malformed_question_is_refused(told: Audit, report: str, body: dict[str, Any]) -> None:
    assert told.post(f"/audit/{report}", body, Role.AUDITOR).status_code == 422


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.ADMIN, Role.SERVICE, Role.RESEARCHER])
@pytest.mark.parametrize("report", ["disclosures", "accesses"])
def test_reports_are_for_auditors(audit: Audit, report: str, role: Role) -> None:
    assert audit.post(f"/audit/{report}", {"patient": "MRN-7"}, role).status_code == 403
