"""The log as FHIR AuditEvents, with the suite's own audit service behind the door."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from services.audit.app import create_app
from services.ehr.fhir.audit_events import SUBJECT_REF
from shared.auth import Role
from shared.pseudonyms import Pseudonymiser
from tests.services.audit.support import event, settings_of
from tests.support.common import make_test_bed
from tests.support.ehr_neighbours import Door, open_door
from tests.support.fhir_schema import FhirSchema
from tests.support.servers import serve

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BY_ANNA = {"issuer": "idp", "subject": "anna", "role": "ehr-system", "clientId": "portal", "jti": "t-1"}


@pytest.fixture(scope="module")
def log_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The ehr service and an audit service whose log has twelve entries of others."""
    bed = make_test_bed(tmp_path_factory.mktemp("log"))
    pseudonym = Pseudonymiser.from_file(bed.common.pseudonym_key_file).patient("default", "MRN-7")
    read: dict[str, Any] = {
        "subjectRef": pseudonym, "purposeOfUse": "TREAT", "requestId": "r-1", "actor": BY_ANNA,
        "object": {"kind": "diagnosis", "id": "d-1"},
        "consent": {"decision": "permit", "reason": "said so", "consentIds": ["c-1"]},
    }  # fmt: skip
    events = [
        event(occurredAt="2026-01-01T00:00:00Z", **read),
        event(occurredAt="2026-01-02T00:00:00Z", details={"ids": ["d-1", "d-2"]}, subtype="diagnoses-listed"),
        event(occurredAt="2026-01-31T23:59:59Z", type="ingest", subtype="note-stored", action="C", producer="notes"),
        event(occurredAt="2026-02-01T00:00:00Z", outcome="refused", outcomeReason="consent denies its use"),
        *(event(occurredAt="2026-03-01T00:00:00Z", type="query" if n % 2 else "read") for n in range(8)),
    ]
    with serve(create_app(settings_of(bed), bed.common)) as url:
        httpx.post(
            f"{url}/internal/audit/events", json={"events": events}, headers=bed.headers(Role.SERVICE), trust_env=False
        ).raise_for_status()
        with open_door(bed, bed.sqlite("ehr"), audit_url=url) as door:
            yield door


def _search(door: Door, query: str) -> Any:
    answer = door.get(f"/fhir/AuditEvent?{query}", Role.AUDITOR)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _ids(bundle: Any, below: int = 12) -> list[int]:
    """Which of the entries above were found; the searches leave entries too."""
    return [one for one in (int(entry["resource"]["id"]) for entry in bundle.get("entry", [])) if one < below]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("patient=MRN-7&agent=anna", [0]),
        ("patient=Patient/MRN-7&subtype=note-read", [0]),
        ("patient:identifier=urn:mrn|MRN-7&subtype=note-read", [0]),
        ("agent=Practitioner/anna", [0]),
        ("date=2026-01-31", [2]),
        ("date=ge2026-01-02&date=lt2026-02-01", [2, 1]),
        ("date=2026-01", [2, 1, 0]),
        ("date=2026&date=le2026-01-01", [0]),
        ("date=gt2026-01-31&date=lt2026-02-02", [3]),
        ("date=2026-01-02T01:00:00%2B01:00", [1]),
        ("type=110107", [2]),
        ("type=http://dicom.nema.org/resources/ontology/DCM|110107", [2]),
        ("type=ingest", [2]),
        ("subtype=urn:consilium:audit-type|ingest", [2]),
        ("type=rest&date=2026-03", [11, 10, 9, 8, 7, 6, 5, 4]),
        ("outcome=4", [3]),
        ("outcome=http://terminology.hl7.org/CodeSystem/audit-event-outcome|4", [3]),
    ],
)
def test_a_search_finds_what_it_names_newest_first(log_door: Door, query: str, expected: list[int]) -> None:
    assert _ids(_search(log_door, query)) == expected


def test_pages_follow_by_their_link_over_several_types(log_door: Door) -> None:
    seen: list[int] = []
    query: str | None = "type=rest&date=2026-03&_count=3"
    while query:
        bundle = _search(log_door, query)
        seen += _ids(bundle)
        following = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
        query = urlsplit(following[0]).query if following else None
    assert seen == list(range(11, 3, -1))


def test_no_link_names_the_patient(log_door: Door) -> None:
    answer = log_door.client.post(
        "/fhir/AuditEvent/_search", content=b"patient=MRN-7&_count=1", headers=log_door.bed.headers(Role.AUDITOR) | FORM
    )
    assert "MRN-7" not in answer.text
    (own, *_) = answer.json()["link"]
    (given,) = parse_qs(urlsplit(own["url"]).query)["patient:identifier"]
    assert given.startswith(f"{SUBJECT_REF}|pat-")
    assert _ids(_search(log_door, urlsplit(own["url"]).query.replace("_count=1", "agent=anna"))) == [0]


def test_a_read_has_what_balp_asks_of_a_patient_read(log_door: Door) -> None:
    """IHE.BasicAudit.PatientRead, element by element; but for the client's network, which the log does not hold."""
    one = log_door.get("/fhir/AuditEvent/0", Role.AUDITOR).json()
    assert (one["type"]["code"], one["action"], one["outcome"]) == ("rest", "R", "0")
    assert one["subtype"][0] == {"system": "http://hl7.org/fhir/restful-interaction", "code": "read"}
    user, client, server = one["agent"]
    assert user["who"]["identifier"] == {"system": "idp", "value": "anna"}
    assert (user["requestor"], user["policy"]) == (True, ["urn:consilium:jti:t-1"])
    assert user["purposeOfUse"][0]["coding"][0]["code"] == "TREAT"
    assert (client["type"]["coding"][0]["code"], client["who"]["identifier"]["value"]) == ("110152", "portal")
    assert (server["type"]["coding"][0]["code"], server["network"]["type"]) == ("110153", "5")
    patient, data, consent, transaction, _ = one["entity"]
    assert (patient["type"]["code"], patient["role"]["code"], patient["what"]["type"]) == ("1", "1", "Patient")
    assert (data["type"]["code"], data["role"]["code"], data["what"]["identifier"]["value"]) == ("2", "3", "d-1")
    assert data["securityLabel"][0]["code"] == "AIAST"
    assert json.loads(consent["description"]) == {"decision": "permit", "reason": "said so"}
    assert (transaction["type"]["code"], transaction["what"]["identifier"]["value"]) == ("XrequestId", "r-1")


def test_everything_emitted_is_valid_r4(log_door: Door, reference_data: Path) -> None:
    bundle = _search(log_door, "_count=50")
    schema = FhirSchema(reference_data / "interop/fhir.schema.json")
    assert schema.problems(bundle) == []


def test_everything_emitted_validates_with_fhir_resources(log_door: Door) -> None:
    module = importlib.import_module("fhir.resources.R4B.auditevent")
    for entry in _search(log_door, "_count=50")["entry"]:
        module.AuditEvent.model_validate(entry["resource"])


def test_41_a_search_is_itself_an_entry_in_the_auditors_name(log_door: Door) -> None:
    _search(log_door, "agent=anna")
    entries = _search(log_door, "subtype=audit-entries&_count=1")["entry"]
    assert entries[0]["resource"]["agent"][0]["who"]["identifier"]["value"] == "demo-auditor"


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.ADMIN, Role.SERVICE])
def test_audit_events_are_for_auditors(log_door: Door, role: Role) -> None:
    assert log_door.get("/fhir/AuditEvent", role).status_code == 403
    assert log_door.get("/fhir/AuditEvent/0", role).status_code == 403


def test_an_entry_that_is_not_there_is_not_found(log_door: Door) -> None:
    answer = log_door.get("/fhir/AuditEvent/100000", Role.AUDITOR)
    assert (answer.status_code, answer.json()["resourceType"]) == (404, "OperationOutcome")


@pytest.mark.parametrize(
    "query",
    ["entity=x", "date=yesterday", "date=ap2026", "date=2026-01-02T01:00:00", "date=2026-02-30",
     "date=9999-12-31", "outcome=12", "type=x",
     "subtype=urn:other|x", "patient=", f"patient:identifier={SUBJECT_REF}|MRN-7", "agent=", "_count=0", "_count=x",
     "_cursor=-1", "agent=a&agent=b", "patient=a&patient:identifier=b"],
)  # fmt: skip
def test_a_search_that_is_not_understood_is_refused(log_door: Door, query: str) -> None:
    answer = log_door.get(f"/fhir/AuditEvent?{query}", Role.AUDITOR)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")
