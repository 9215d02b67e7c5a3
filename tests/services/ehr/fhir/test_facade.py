"""The facade as a whole: what it declares, what it emits, how it refuses."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.auth import Role
from tests.services.ehr.fhir.test_documents import document
from tests.services.ehr.fhir.test_observations import blood_pressure, heart_rate
from tests.support.common import TestBed
from tests.support.ehr_neighbours import Door, abstained, open_door, succeeded
from tests.support.fhir_schema import FhirSchema

SEARCHES = {"_search": "search-type"}
WITH_AUDIT = ("Consent", "AuditEvent")
"""Those need an audit service: `test_consents.py`, `test_audit_events.py`."""


@pytest.fixture
def emitted(door: Door) -> list[dict[str, Any]]:
    """One of every resource this server answers with."""
    door.ward.results += [succeeded("MRN-7", id="result-1"), abstained("MRN-7", id="result-2", hours=1)]
    bare = succeeded(
        "MRN-7", id="result-3", prediction_set=None, explanation=None, risks={}, modalities=None, timings=None
    )
    door.ward.results.append(bare)
    paths = ["/fhir/metadata", "/fhir/nowhere", "/fhir/DiagnosticReport?patient=nobody"]
    for kind in ("DiagnosticReport", "RiskAssessment", "Provenance"):
        paths += [f"/fhir/{kind}/result-{i}" for i in (1, 2, 3)] + [f"/fhir/{kind}?patient=MRN-7"]
    created = door.post("/fhir/DocumentReference", document()).json()
    answers = [door.get(path).json() for path in [*paths, f"/fhir/DocumentReference/{created['id']}"]]
    answers += [door.post("/fhir/Observation", body).json() for body in (heart_rate(), blood_pressure(), {})]
    return [created, *answers]


def test_everything_emitted_validates_with_fhir_resources(emitted: list[dict[str, Any]]) -> None:
    for resource in emitted:
        kind = resource["resourceType"]
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        getattr(module, kind).model_validate(resource)


def test_everything_emitted_validates_with_the_schema_of_r4(
    emitted: list[dict[str, Any]], reference_data: Path
) -> None:
    schema = FhirSchema(reference_data / "interop/fhir.schema.json")
    found = {problem for resource in emitted for problem in schema.problems(resource)}
    # The schema published for 4.0.1 was made with a code list that ends at 4.0.0.
    assert found <= {"CapabilityStatement.fhirVersion is none of the codes"}


def test_nothing_emitted_uses_an_extension(emitted: list[dict[str, Any]]) -> None:
    assert "xtension" not in json.dumps(emitted)


def test_the_schema_checker_accepts_every_official_example(reference_data: Path) -> None:
    interop = reference_data / "interop"
    schema = FhirSchema(interop / "fhir.schema.json")
    examples = [json.loads(path.read_text()) for path in (interop / "fhir-r4-examples").glob("*.json")]
    assert [one["id"] for one in examples if schema.problems(one)] == []


def test_the_schema_checker_finds_a_misspelled_element(reference_data: Path) -> None:
    schema = FhirSchema(reference_data / "interop/fhir.schema.json")
    report = {"resourceType": "DiagnosticReport", "status": "preliminary", "code": {"txt": "x"}}
    assert schema.problems(report) == ["DiagnosticReport.code.txt is not in the specification"]


def test_the_capability_statement_is_of_r4(door: Door) -> None:
    assert door.get("/fhir/metadata").json()["fhirVersion"] == "4.0.1"


def _declared(door: Door) -> set[tuple[str, str]]:
    (rest,) = door.get("/fhir/metadata").json()["rest"]
    return {(r["type"], i["code"]) for r in rest["resource"] for i in r["interaction"]}


def _served(door: Door) -> Iterator[tuple[str, str]]:
    app: Any = door.client.app
    for path, methods in app.openapi()["paths"].items():
        parts = path.removeprefix("/fhir/").split("/")
        if path.startswith("/fhir/") and parts != ["metadata"]:
            for method in methods:
                yield parts[0], _interaction(method, parts[1:])


def _interaction(method: str, rest: list[str]) -> str:
    if not rest:
        return {"get": "search-type", "post": "create"}[method]
    return SEARCHES.get(rest[0]) or {"get": "read"}[method]


def test_every_served_route_is_declared_and_nothing_else(door: Door) -> None:
    assert set(_served(door)) == _declared(door)


def test_every_declared_interaction_answers(door: Door) -> None:
    door.ward.results.append(succeeded("MRN-7", id="result-1"))
    note = door.post("/fhir/DocumentReference", document()).json()["id"]
    ids = {"DocumentReference": note, **dict.fromkeys(("DiagnosticReport", "RiskAssessment", "Provenance"), "result-1")}
    bodies = {"DocumentReference": document(), "Observation": heart_rate()}
    for kind, code in sorted(_declared(door)):
        if kind in WITH_AUDIT:
            continue
        answers = {
            "read": lambda kind=kind: door.get(f"/fhir/{kind}/{ids[kind]}"),
            "search-type": lambda kind=kind: door.get(f"/fhir/{kind}?patient=MRN-7"),
            "create": lambda kind=kind: door.post(f"/fhir/{kind}", bodies[kind]),
        }
        assert answers[code]().is_success, (kind, code)


def test_every_declared_search_parameter_is_understood(door: Door) -> None:
    (rest,) = door.get("/fhir/metadata").json()["rest"]
    for resource in rest["resource"]:
        for parameter in resource.get("searchParam", []) if resource["type"] not in WITH_AUDIT else []:
            assert door.get(f"/fhir/{resource['type']}?{parameter['name']}=x").status_code == 200


def outcome(answer: Any) -> tuple[int, str, str, str]:
    """Status, content type, resource type and issue code of a refusal."""
    body = answer.json()
    return answer.status_code, answer.headers["content-type"], body["resourceType"], body["issue"][0]["code"]


FHIR = ("application/fhir+json", "OperationOutcome")


def test_a_caller_without_token_is_told_in_fhir(door: Door) -> None:
    assert outcome(door.client.get("/fhir/metadata")) == (401, *FHIR, "login")


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_are_kept_out(door: Door, role: Role) -> None:
    assert outcome(door.get("/fhir/DiagnosticReport?patient=MRN-7", role)) == (403, *FHIR, "forbidden")


def test_an_unknown_resource_is_told_in_fhir(door: Door) -> None:
    assert outcome(door.get("/fhir/Medication/1")) == (404, *FHIR, "not-found")


def test_a_method_that_is_not_served_is_told_in_fhir(door: Door) -> None:
    answer = door.client.delete("/fhir/DocumentReference/1", headers=door.bed.headers(Role.EHR_SYSTEM))
    assert outcome(answer) == (405, *FHIR, "not-supported")


def test_broken_json_is_told_in_fhir(door: Door) -> None:
    assert outcome(door.post("/fhir/Observation", b'{"resourceType": ')) == (400, *FHIR, "structure")


def test_another_resource_than_the_paths_is_refused(door: Door) -> None:
    assert outcome(door.post("/fhir/Observation", document())) == (400, *FHIR, "structure")


def test_xml_is_refused(door: Door) -> None:
    answer = door.post("/fhir/Observation", b"<Observation/>", headers={"Content-Type": "application/fhir+xml"})
    assert outcome(answer) == (415, *FHIR, "not-supported")


def test_a_caller_who_reads_only_xml_is_told_so(door: Door) -> None:
    answer = door.get("/fhir/metadata", headers={"Accept": "application/fhir+xml"})
    assert outcome(answer) == (406, *FHIR, "not-supported")


def test_a_body_beyond_the_limit_is_told_in_fhir(door: Door) -> None:
    assert outcome(door.post("/fhir/DocumentReference", b" " * (8 * 2**20 + 1))) == (413, *FHIR, "too-long")


def test_an_id_that_cannot_be_one_is_refused(door: Door) -> None:
    assert outcome(door.get("/fhir/DiagnosticReport/a_b")) == (422, *FHIR, "invalid")


def test_no_refusal_quotes_what_was_sent(door: Door) -> None:
    body = heart_rate(status="Smith, John", subject={"reference": "Smith, John"}, effectiveDateTime="Smith, John")
    assert "Smith" not in door.post("/fhir/Observation", body).text
    assert "Smith" not in door.post("/fhir/Observation", {"resourceType": "Smith"}).text


def test_an_unexpected_error_is_told_in_fhir_without_detail(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = door.client.app
    monkeypatch.setattr(app.state, "neighbours", None)
    answer = door.get("/fhir/DiagnosticReport/result-1")
    assert outcome(answer) == (500, *FHIR, "exception")
    assert "NoneType" not in answer.text


def test_a_neighbour_that_is_down_is_told_as_transient(bed: TestBed) -> None:
    with open_door(bed, bed.sqlite("ehr"), diagnosis_url="http://127.0.0.1:9") as door:
        assert outcome(door.get("/fhir/DiagnosticReport/result-1")) == (503, *FHIR, "transient")


def test_errors_outside_fhir_stay_problem_documents(door: Door) -> None:
    assert door.client.get("/cds-services").headers["content-type"] == "application/problem+json"
