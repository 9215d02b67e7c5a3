"""A hospital's folder made of ward patients: DICOM at any depth beside a FHIR Bulk Data export."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from shared.codes import (
    BODY_TEMPERATURE,
    DIAGNOSES,
    DIASTOLIC_BLOOD_PRESSURE,
    HEART_RATE,
    LOINC,
    OXYGEN_SATURATION,
    SYSTOLIC_BLOOD_PRESSURE,
    UCUM,
    VITAL_SIGNS,
)

Json = dict[str, Any]
HOURS = 4
"""Between the beginning of an encounter and the case time."""
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
UNITS = {sign.coding.code: sign.unit for sign in VITAL_SIGNS}
FILES = {
    "Patient": "Patient.ndjson",
    "Consent": "fhir/Consent.000.ndjson",
    "Encounter": "fhir/Encounter.ndjson",
    "Condition": "fhir/1.Condition.ndjson",
    "DocumentReference": "fhir/DocumentReference.ndjson",
    "Observation": "fhir/Observation.000.ndjson",
}


@dataclass
class HospitalFolder:
    """A folder to be changed and written."""

    root: Path
    patients: list[WardPatient]
    resources: dict[str, list[Json]] = field(default_factory=dict)

    def write(self) -> Path:
        """Write what `resources` holds, the Observations in two files, and every radiograph; returns the folder."""
        for kind, content in self.resources.items():
            half = len(content) // 2 if kind == "Observation" else len(content)
            write_ndjson(self.root / FILES[kind], content[:half])
            if kind == "Observation":
                write_ndjson(self.root / FILES[kind].replace("000", "001"), content[half:])
        for number, patient in enumerate(self.patients):
            file = self.dicom(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            patient.dataset().save_as(file, enforce_file_format=True)
        return self.root

    def dicom(self, number: int) -> Path:
        """The file of a patient's radiograph: every other one is named by its UID, as archives do."""
        uid = str(self.patients[number].dataset().SOPInstanceUID)
        return self.root / "dicom" / f"study{number}" / "series" / (uid if number % 2 else f"image{number}.dcm")


def ward_folder(root: Path, patients: int = 3, *, side: int = 64) -> HospitalFolder:
    """The folder of the first patients of a ward, not yet written."""
    people = [generate_patient(5, index, side=side) for index in range(patients)]
    made: dict[str, list[Json]] = {kind: [] for kind in FILES}
    for number, patient in enumerate(people):
        made["Patient"].append(patient_json(number, patient))
        made["Consent"].append(consent_json(number, provision("permit")))
        made["Encounter"].append(encounter_json(number, patient.as_of))
        made["Condition"].append(condition_json(number, patient.truth.label))
        made["DocumentReference"].append(document_json(number, patient.note_json()))
        made["Observation"] += observations(number, patient)
    return HospitalFolder(root, people, made)


def write_ndjson(file: Path, resources: Iterable[Json]) -> None:
    """One resource a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(resource, ensure_ascii=False) + "\n" for resource in resources), "utf-8")


def patient_json(number: int, patient: WardPatient) -> Json:
    born = patient.as_of - timedelta(days=365.2425 * (patient.person.age_years + 0.5))
    return {
        "resourceType": "Patient", "id": f"p{number}", "birthDate": born.date().isoformat(),
        "identifier": [{"system": "urn:oid:2.25.1", "value": patient.patient_id}],
        "gender": {"F": "female", "M": "male"}.get(patient.person.sex, "unknown"),
    }  # fmt: skip


def provision(kind: str, *purposes: str, **more: Any) -> Json:
    """A provision for research, or for other purposes."""
    named = [{"system": ACT_REASON, "code": code} for code in purposes or ("HRESCH",)]
    return {"type": kind, "purpose": named, **more}


def consent_json(number: int, content: Json, *, status: str = "active", name: str = "c") -> Json:
    return {
        "resourceType": "Consent", "id": f"{name}{number}", "status": status,
        "scope": {"coding": [{"system": SCOPE, "code": "research"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/p{number}"},
        "policyRule": {"coding": [{"code": "OPTIN"}]}, "provision": content,
    }  # fmt: skip


def encounter_json(number: int, as_of: datetime) -> Json:
    start, end = as_of - timedelta(hours=HOURS), as_of + timedelta(days=3)
    return {
        "resourceType": "Encounter", "id": f"e{number}", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
        "subject": {"reference": f"Patient/p{number}"},
        "period": {"start": start.isoformat(), "end": end.isoformat()},
        "diagnosis": [{"condition": {"reference": f"Condition/d{number}"}, "rank": 1}],
    }  # fmt: skip


def condition_json(number: int, label: int) -> Json:
    code = DIAGNOSES[label]
    return {
        "resourceType": "Condition", "id": f"d{number}", "subject": {"reference": f"Patient/p{number}"},
        "encounter": {"reference": f"Encounter/e{number}"},
        "code": {"coding": [{"system": code.system, "code": code.code, "display": code.display}]},
    }  # fmt: skip


def document_json(number: int, note: dict[str, str]) -> Json:
    data = base64.b64encode(note["text"].encode()).decode()
    return {
        "resourceType": "DocumentReference", "id": f"n{number}", "status": "current",
        "type": {"coding": [{"system": LOINC, "code": note["type"]}]},
        "subject": {"reference": f"https://ehr.example/fhir/Patient/p{number}/_history/2"}, "date": note["authored"],
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}],
    }  # fmt: skip


def observations(number: int, patient: WardPatient) -> list[Json]:
    """Every sample, in the units and shapes that senders use: pressures as panels, temperatures in Fahrenheit."""
    vitals = patient.case().vitals
    assert vitals is not None
    made = []
    for index, (at_h, code, value) in enumerate(zip(vitals.times_h, vitals.codes, vitals.values, strict=True)):
        at = patient.as_of + timedelta(hours=float(at_h))
        content = _measured(code, float(value))
        if code in (SYSTOLIC_BLOOD_PRESSURE.code, DIASTOLIC_BLOOD_PRESSURE.code):
            content = {"code": {"coding": [{"system": LOINC, "code": "85354-9"}]}, "component": [content]}
        made.append(observation_json(number, f"{number}-{index}", at, content))
    return made


def observation_json(number: int, name: str, at: datetime, content: Json) -> Json:
    return {
        "resourceType": "Observation", "id": f"o{name}", "status": "final",
        "subject": {"identifier": {"value": f"WARD-5-{number:06d}"}}, "effectiveDateTime": at.isoformat(), **content,
    }  # fmt: skip


def _measured(code: str, value: float) -> Json:
    unit = UNITS[code]
    if code == BODY_TEMPERATURE.code:
        value, unit = value * 9 / 5 + 32, "[degF]"
    elif code == OXYGEN_SATURATION.code:
        code = "2708-6"
    elif code == HEART_RATE.code:
        unit = "{beats}/min"
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": quantity}
