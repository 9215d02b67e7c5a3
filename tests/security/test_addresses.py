"""Services ask one another without a patient in the address: an address ends up in logs of proxies."""

from __future__ import annotations

from typing import Any

import httpx

from shared.auth import Role
from tests.security.conftest import Composed
from tests.services.ehr.fhir.test_documents import document
from tests.services.ehr.hooks.test_hooks import SERVICE, call
from tests.support.canaries import Canary
from tests.support.suite import until


def _post(composed: Composed, path: str, body: Any, role: Role = Role.CLINICIAN) -> httpx.Response:
    kind = "application/fhir+json" if path.startswith("/fhir") else "application/json"
    headers = {"Authorization": f"Bearer {composed.issuer.mint(role)}", "Content-Type": kind}

    def answered() -> httpx.Response | None:
        # On a busy machine a neighbour may be too slow once: 503 says that the same may be sent again.
        answer = composed.http.post(path, json=body, headers=headers)
        return None if answer.status_code == 503 else answer

    return until(answered, 60, f"an answer of {path}")


def test_no_service_asks_another_with_a_patient_in_the_address(composed: Composed) -> None:
    canary = Canary()
    patient = canary.named("ID")
    consent = {"patient": patient, "decision": "permit", "purpose": "TREAT", "modalities": ["note"]}
    subject = {"identifier": {"system": "urn:mrn", "value": patient}}
    who = {"resourceType": "Patient", "id": "p-1", "identifier": [{"system": "urn:mrn", "value": patient}]}
    before = len(composed.inner_addresses)
    given = _post(composed, "/consents", consent)
    asked = {
        "/consents/…/withdraw": _post(composed, f"/consents/{given.json()['id']}/withdraw", {}),
        "/fhir/DocumentReference": _post(composed, "/fhir/DocumentReference", document("Cough.", subject=subject)),
        "/diagnoses": _post(composed, "/diagnoses", {"patient": patient}),
        "/diagnoses/search": _post(composed, "/diagnoses/search", {"patient": patient}),
        SERVICE: _post(composed, SERVICE, call(prefetch={"patient": who})),
    }
    headers = {"Authorization": f"Bearer {composed.issuer.mint(Role.EHR_SYSTEM)}"}
    asked["search"] = composed.http.get("/fhir/DiagnosticReport", params={"patient": patient}, headers=headers)
    assert {name: answer.text for name, answer in asked.items() if answer.status_code >= 500} == {}
    inner = composed.inner_addresses[before:]
    assert len(inner) > 8, inner
    assert [address for address in inner if canary.in_text(address)] == []
