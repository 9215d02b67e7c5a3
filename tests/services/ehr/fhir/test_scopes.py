"""FHIR routes admit whom role and SMART scopes both admit, and show one patient's to a token of one patient."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from services.ehr.fhir.access import check_scopes, interaction_of
from shared.access import calls_of
from shared.auth import Role
from tests.support.ehr_neighbours import Door, succeeded

REPORT = "/fhir/DiagnosticReport"


def _headers(door: Door, scope: str, patient: str = "", role: Role = Role.EHR_SYSTEM) -> dict[str, str]:
    claims = {"scope": scope, **({"patient": patient} if patient else {})}
    return {"Authorization": f"Bearer {door.bed.issuer.mint(role, claims=claims)}"}


@pytest.fixture
def with_results(door: Door) -> Door:
    """Two patients with a result each."""
    door.ward.results += [succeeded("MRN-7", id="result-1"), succeeded("MRN-8", id="result-2")]
    return door


def _get(door: Door, path: str, scope: str, launched_for: str = "", /, **params: str) -> Any:
    return door.client.get(path, params=params, headers=_headers(door, scope, launched_for))


@pytest.mark.parametrize("scope", ["system/DiagnosticReport.r", "user/*.cruds", "openid system/DiagnosticReport.rs"])
def test_a_scope_that_grants_reading_reads(with_results: Door, scope: str) -> None:
    assert _get(with_results, f"{REPORT}/result-1", scope).status_code == 200


@pytest.mark.parametrize(
    "scope", ["system/DiagnosticReport.s", "system/Observation.r", "system/DiagnosticReport.read", "patient/*.r"]
)
def test_a_scope_that_does_not_grant_reading_does_not(with_results: Door, scope: str) -> None:
    answer = _get(with_results, f"{REPORT}/result-1", scope)
    assert answer.status_code == 403
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_a_scope_does_not_stand_in_for_the_role(with_results: Door) -> None:
    for role in (Role.ADMIN, Role.AUDITOR, Role.RESEARCHER):
        headers = _headers(with_results, "system/*.cruds", role=role)
        assert with_results.client.get(f"{REPORT}/result-1", headers=headers).status_code == 403


def test_a_patients_token_reads_that_patients_result_and_no_other(with_results: Door) -> None:
    scope = "launch/patient patient/DiagnosticReport.rs"
    assert _get(with_results, f"{REPORT}/result-1", scope, "MRN-7").status_code == 200
    assert _get(with_results, f"{REPORT}/result-2", scope, "MRN-7").status_code == 404


def test_a_patients_token_searches_that_patients_results_and_no_others(with_results: Door) -> None:
    scope = "patient/DiagnosticReport.rs"
    assert _get(with_results, REPORT, scope, "MRN-7", patient="Patient/MRN-7").json()["total"] == 1
    assert _get(with_results, REPORT, scope, "MRN-7", patient="MRN-8").status_code == 403
    assert _get(with_results, REPORT, scope, "MRN-7", _id="result-1,result-2").json()["total"] == 1


def test_a_users_scope_beside_a_patients_lifts_the_limit(with_results: Door) -> None:
    scope = "patient/DiagnosticReport.rs user/DiagnosticReport.r"
    assert _get(with_results, f"{REPORT}/result-2", scope, "MRN-7").status_code == 200
    assert _get(with_results, REPORT, scope, "MRN-7", patient="MRN-8").status_code == 403


def test_the_capability_statement_needs_no_scope(door: Door) -> None:
    assert _get(door, "/fhir/metadata", "system/Observation.c").status_code == 200


def test_a_token_with_scopes_opens_nothing_that_no_scope_names(door: Door) -> None:
    assert _get(door, "/cds-services", "system/*.cruds").status_code == 403


def test_every_fhir_route_looks_at_the_scopes(door: Door) -> None:
    app: Any = door.client.app
    routes = [one for one in iter_route_contexts(app.routes) if str(one.path).startswith("/fhir")]
    assert len(routes) > 8
    assert [one.path for one in routes if check_scopes not in calls_of(one.dependant)] == []


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("POST", "/fhir/Observation", ("Observation", "c")),
        ("GET", "/fhir/Observation/1", ("Observation", "r")),
        ("GET", "/fhir/Observation", ("Observation", "s")),
        ("POST", "/fhir/Observation/_search", ("Observation", "s")),
        ("PUT", "/fhir/Observation/1", ("Observation", "u")),
        ("PATCH", "/fhir/Observation/1", ("Observation", "u")),
        ("DELETE", "/fhir/Observation/1", ("Observation", "d")),
    ],
)
def test_a_request_is_one_of_the_interactions(method: str, path: str, asked: tuple[str, str]) -> None:
    assert interaction_of(method, path) == asked
