"""A token with SMART scopes in the whole suite: it opens what they grant, by every door, and nothing else."""

from __future__ import annotations

import re

import httpx
import pytest

from shared.auth import Role
from tests.security.conftest import Composed
from tests.security.roles import ROUTES
from tests.services.ehr.fhir.test_documents import document
from tests.support.suite import until

SCOPED = {
    ("POST", "/notes"): "DocumentReference.c",
    ("GET", "/notes/{note_id}"): "DocumentReference.r",
    ("POST", "/vitals/samples"): "Observation.c",
    ("POST", "/consents"): "Consent.c",
    ("POST", "/consents/search"): "Consent.s",
    ("GET", "/consents/{consent_id}/versions"): "Consent.r",
}
"""Doors behind the FHIR facade, which hands on the caller's own token."""


LOG_SCOPED = {
    ("GET", "/audit/entries"): "AuditEvent.s",
    ("POST", "/audit/entries/search"): "AuditEvent.s",
    ("GET", "/audit/entries/{index}"): "AuditEvent.r",
}
"""The same for auditors."""


def _ask(composed: Composed, method: str, path: str, scope: str, role: Role = Role.EHR_SYSTEM) -> int:
    headers = {"Authorization": f"Bearer {composed.issuer.mint(role, claims={'scope': scope, 'patient': 'p'})}"}
    path = re.sub(r"\{\w+\}", "1", path)
    with composed.http.stream(method, path, headers=headers, json=None if method == "GET" else {}) as answer:
        return answer.status_code


def _create(composed: Composed, scope: str) -> int:
    claims = {"scope": scope, "patient": "MRN-7"}
    headers = {"Authorization": f"Bearer {composed.issuer.mint(Role.EHR_SYSTEM, claims=claims)}"}
    headers["Content-Type"] = "application/fhir+json"

    def answered() -> httpx.Response | None:
        answer = composed.http.post("/fhir/DocumentReference", json=document(), headers=headers)
        return None if answer.status_code == 503 else answer

    return until(answered, 60, "an answer").status_code


@pytest.mark.parametrize(("door", "scope"), [*SCOPED.items(), *LOG_SCOPED.items()])
def test_a_door_behind_the_facade_asks_for_the_same_scope(
    composed: Composed, door: tuple[str, str], scope: str
) -> None:
    role = Role.AUDITOR if door in LOG_SCOPED else Role.EHR_SYSTEM
    assert _ask(composed, *door, f"system/{scope}", role) != 403
    assert _ask(composed, *door, "system/*.cruds", role) != 403
    for other in ("system/Encounter.cruds", f"patient/{scope}", "system/*.d", "system/*.*"):
        assert _ask(composed, *door, other, role) == 403, other


@pytest.mark.parametrize("role", list(Role))
def test_whatever_no_scope_names_a_scoped_token_does_not_open(composed: Composed, role: Role) -> None:
    opened = {}
    for route in ROUTES:
        if route.is_open or route.path.startswith("/fhir/") or (route.method, route.path) in SCOPED | LOG_SCOPED:
            continue
        status = _ask(composed, route.method, route.path, "system/*.cruds user/*.cruds", role)
        if status not in (401, 403):
            opened[f"{route.method} {route.path}"] = status
    assert opened == {}


def test_a_note_is_handed_on_in_the_name_of_a_token_that_may_create_it(composed: Composed) -> None:
    assert _create(composed, "system/DocumentReference.c") in (200, 201)
    assert _create(composed, "patient/DocumentReference.c") == 403
    assert _create(composed, "system/DocumentReference.r") == 403
