"""FHIR Consent at the door, with the suite's own audit service behind it."""

from __future__ import annotations

import base64
import copy
import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.audit.app import create_app
from tests.services.audit.support import settings_of
from tests.support.common import make_test_bed
from tests.support.ehr_neighbours import Door, open_door
from tests.support.fhir_schema import FhirSchema
from tests.support.servers import serve

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
TYPES = "http://hl7.org/fhir/resource-types"
DOCUMENT = b"I permit it. (signed)"


def _actor(**reference: Any) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    return {"role": {"coding": [{"system": system, "code": "IRCP"}]}, "reference": reference}


def consent() -> dict[str, Any]:
    """Treatment and research with everything, by one practitioner, but no research with notes (made up)."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/MRN-7"},
        "dateTime": "2026-01-01",
        "policy": [{"uri": "https://hospital.example/policies/7"}],
        "sourceAttachment": {"contentType": "text/plain", "data": base64.b64encode(DOCUMENT).decode()},
        "provision": {
            "type": "permit",
            "period": {"start": "2026-01-01T00:00:00Z", "end": "2127-01-01T00:00:00+01:00"},
            "actor": [_actor(reference="Practitioner/dr-hill")],
            "purpose": [{"system": ACT_REASON, "code": code} for code in ("TREAT", "HRESCH")],
            "provision": [
                {
                    "type": "deny",
                    "purpose": [{"system": ACT_REASON, "code": "HRESCH"}],
                    "class": [{"system": TYPES, "code": "DocumentReference"}],
                }
            ],
        },
    }


@pytest.fixture(scope="module")
def consent_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The ehr service and the audit service."""
    bed = make_test_bed(tmp_path_factory.mktemp("consents"))
    with (
        serve(create_app(settings_of(bed), bed.common)) as audit_url,
        open_door(bed, bed.sqlite("ehr"), audit_url=audit_url) as door,
    ):
        yield door


def test_a_consent_is_kept_with_all_that_it_says(consent_door: Door) -> None:
    answer = consent_door.post("/fhir/Consent", consent())
    assert answer.status_code == 201, answer.text
    kept = consent_door.get(f"/fhir/Consent/{answer.json()['id']}").json()
    assert kept == answer.json()
    assert kept["meta"]["versionId"] == "1"
    assert kept["policy"] == consent()["policy"]
    provision = kept["provision"]
    assert provision["actor"][0]["reference"] == {"reference": "Practitioner/dr-hill"}
    assert [coding["code"] for coding in provision["purpose"]] == ["TREAT", "HRESCH"]
    assert len(provision["class"]) == 3
    assert provision["provision"][0] == consent()["provision"]["provision"][0]
    assert answer.headers["location"].endswith(f"/fhir/Consent/{kept['id']}")


def test_what_is_answered_is_a_valid_consent(consent_door: Door, reference_data: Path) -> None:
    kept = consent_door.post("/fhir/Consent", consent()).json()
    module = importlib.import_module("fhir.resources.R4B.consent")
    module.Consent.model_validate(kept)
    assert FhirSchema(reference_data / "interop/fhir.schema.json").problems(kept) == []


def test_a_patients_consents_are_found_newest_first_and_logged(consent_door: Door, reference_data: Path) -> None:
    two = [
        consent_door.post("/fhir/Consent", consent() | {"patient": {"reference": "Patient/MRN-9"}}) for _ in range(2)
    ]
    found = consent_door.get("/fhir/Consent?patient=Patient/MRN-9").json()
    assert [entry["resource"] for entry in found["entry"]] == [answer.json() for answer in reversed(two)]
    assert FhirSchema(reference_data / "interop/fhir.schema.json").problems(found) == []
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert consent_door.post("/fhir/Consent/_search", b"patient=MRN-9&_count=1", headers=form).json()["entry"] == [
        found["entry"][0]
    ]
    assert consent_door.get("/fhir/Consent?patient=nobody").json()["total"] == 0


@pytest.mark.parametrize("query", ["", "_id=x", "patient=MRN-7&status=active", "patient=a&patient=b"])
def test_a_search_for_consents_that_is_not_offered_is_refused(consent_door: Door, query: str) -> None:
    assert consent_door.get(f"/fhir/Consent?{query}").status_code == 400


def test_the_signed_document_is_known_by_its_digest() -> None:
    from services.ehr.fhir.consents import to_consent

    assert to_consent(consent())["sourceDigest"] == "sha256:" + hashlib.sha256(DOCUMENT).hexdigest()


def _changed(path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(consent())
    *way, last = path.split(".")
    place: Any = changed
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[last] = value
    return changed


EXTENSION = [{"url": "https://hospital.example/only-on-sundays", "valueBoolean": True}]
NOT_UNDERSTOOD = [
    ("modifierExtension", EXTENSION, "Consent.modifierExtension"),
    ("extension", EXTENSION, "Consent.extension"),
    ("implicitRules", "https://hospital.example/rules", "Consent.implicitRules"),
    ("verification", [{"verified": False}], "Consent.verification"),
    ("policyRule", {"text": "as always"}, "Consent.policyRule"),
    ("status", "proposed", "Consent.status"),
    ("scope", {"coding": [{"code": "adr"}]}, "Consent.scope"),
    ("patient", {"display": "Anna"}, "Consent.patient"),
    ("provision", None, "Consent.provision"),
    ("provision.type", None, "Consent.provision.type"),
    ("provision.purpose", [], "Consent.provision.purpose"),
    ("provision.purpose", [{"system": ACT_REASON, "code": "HMARKT"}], "Consent.provision.purpose[0]"),
    ("provision.purpose", [{"system": "urn:other", "code": "TREAT"}], "Consent.provision.purpose[0]"),
    ("provision.class", [{"system": TYPES, "code": "Genome"}], "Consent.provision.class[0]"),
    ("provision.action", [{"coding": [{"code": "collect"}]}], "Consent.provision.action"),
    ("provision.securityLabel", [{"code": "R"}], "Consent.provision.securityLabel"),
    ("provision.dataPeriod", {"start": "2026"}, "Consent.provision.dataPeriod"),
    ("provision.period", {"start": "2026-01-01"}, "Consent.provision.period.start"),
    ("provision.actor", [_actor(reference="Organization/x")], "Consent.provision.actor[0].reference"),
    ("provision.actor.0.role", {"coding": [{"code": "CST"}]}, "Consent.provision.actor[0].role"),
    ("provision.provision.0.type", "permit", "Consent.provision.provision"),
    ("provision.provision.0.provision", [{"type": "permit"}], "Consent.provision.provision[0].provision"),
    ("provision.provision.0.modifierExtension", EXTENSION, "Consent.provision.provision[0].modifierExtension"),
]


@pytest.mark.parametrize(
    ("path", "value", "element"), NOT_UNDERSTOOD, ids=[f"{p}-{n}" for n, (p, *_) in enumerate(NOT_UNDERSTOOD)]
)
def test_what_is_not_understood_is_refused_and_named(consent_door: Door, path: str, value: Any, element: str) -> None:
    answer = consent_door.post("/fhir/Consent", _changed(path, value))
    assert (answer.status_code, answer.json()["resourceType"]) == (422, "OperationOutcome")
    assert element in [expression for issue in answer.json()["issue"] for expression in issue.get("expression", [])]


def test_a_consent_of_nobody_is_not_found(consent_door: Door) -> None:
    assert consent_door.get("/fhir/Consent/none").status_code == 404
