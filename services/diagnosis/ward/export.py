"""The ward on disk: DICOM files, NDJSON of notes, vitals and truth, masks as PNG."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from services.diagnosis.ward import dicom
from services.diagnosis.ward.conditions import Conditions, shift
from services.diagnosis.ward.dials import Dials, build_model
from services.diagnosis.ward.generate import CHUNK, generate_patient
from services.diagnosis.ward.parallel import in_order
from services.diagnosis.ward.patient import WardPatient
from services.diagnosis.ward.terminology import CHEST_RADIOGRAPH, DOCUMENTS, coding_of
from shared.codes import DIAGNOSES, SEVERITIES, Coding


@dataclass(frozen=True)
class Order:
    """Which patients to make."""

    seed: int
    patients: int
    anchor: datetime
    spread_h: float
    processes: int
    side: int = 512
    shift: str = "standard"
    """A name of `conditions.SHIFTS`."""
    dials: Dials = field(default_factory=Dials)


@dataclass(frozen=True)
class Record:
    """All files of one patient, as bytes and lines; of a modality that is missing there is nothing."""

    patient_id: str
    dicom: bytes | None
    note: str | None
    """One line of JSON."""
    vitals: str | None
    """NDJSON."""
    truth: str
    """One line of JSON."""
    masks: dict[str, bytes]
    """File name -> PNG."""


def records(order: Order) -> Iterator[Record]:
    """Every patient of an order, rendered, in order."""
    chunks = [range(i, min(i + CHUNK, order.patients)) for i in range(0, order.patients, CHUNK)]
    for batch in in_order(partial(_batch, order), chunks, order.processes):
        yield from batch


def write(order: Order, directory: Path) -> Iterator[Record]:
    """Write each patient below `directory` and hand it on, so that a caller can count or send it.

    Raises: OSError: the directory cannot be written.
    """
    for name in ("dicom", "masks"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        notes, vitals, truth = (
            stack.enter_context((directory / f"{name}.ndjson").open("w", encoding="utf-8", newline="\n"))
            for name in ("notes", "vitals", "truth")
        )
        for record in records(order):
            if record.dicom is not None:
                (directory / "dicom" / f"{record.patient_id}.dcm").write_bytes(record.dicom)
            for name, png in record.masks.items():
                (directory / "masks" / name).write_bytes(png)
            notes.write(record.note or "")
            vitals.write(record.vitals or "")
            truth.write(record.truth)
            yield record


def truth_json(patient: WardPatient, dials: Dials) -> dict[str, Any]:
    """One line of `truth.ndjson`.

    The posteriors of every subset of the modalities are there whatever is missing; masks, spans and windows are those
    of what is available.
    """
    truth, person = patient.truth, patient.person
    return {
        "patient": patient.patient_id,
        "asOf": _rfc3339(patient.as_of),
        "ageYears": person.age_years,
        "sex": person.sex,
        "person": {"age": person.age_years, "sex": person.sex, "skinType": person.skin_type, "site": person.site},
        "shift": patient.conditions.name,
        "conditions": _conditions(patient.conditions),
        "dials": asdict(dials),
        "available": list(truth.available),
        "diagnosis": _coding(DIAGNOSES[truth.label]),
        "recordedDiagnosis": _coding(DIAGNOSES[patient.recorded_label]),
        "deterioration24h": truth.deterioration,
        "deteriorationProbability": truth.deterioration_posterior["image+note+vitals"],
        "deteriorationPosterior": truth.deterioration_posterior,
        "severity": _coding(SEVERITIES[patient.latents.severity]),
        "severityLevels": [_coding(code) for code in SEVERITIES],
        "severityPosterior": truth.severity_posterior,
        "labels": [_coding(code) for code in DIAGNOSES],
        "posterior": truth.posterior,
        "posteriorGivenAvailability": truth.posterior_given_availability,
        **_findings(patient),
    }


def _findings(patient: WardPatient) -> dict[str, Any]:
    """What the patient has, in codes, and where it shows."""
    truth, there = patient.truth, patient.available
    shown = [(f.name, truth.findings[f.name]) for f in patient.model.findings if truth.findings[f.name] != f.values[0]]
    codes = {name: coding_of(name, value) for name, value in shown}
    return {
        "findings": truth.findings,
        "findingCodes": {name: _coding(code) if code else None for name, code in codes.items()},
        "documents": {
            "image": _coding(CHEST_RADIOGRAPH) if "image" in there else None,
            "note": _coding(DOCUMENTS[patient.note.type]) if "note" in there else None,
        },
        "spans": [{"start": s, "end": e, "finding": f, "negated": n} for s, e, f, n in truth.spans],
        "windows": [
            {"code": code, "from": _at(patient, start), "to": _at(patient, end), "finding": finding}
            for code, start, end, finding in truth.windows
        ],
        "masks": {finding: f"masks/{_mask_name(patient, finding)}" for finding in truth.masks},
        "sopInstanceUid": dicom.uid(patient.patient_id, "instance") if "image" in there else None,
    }


def _conditions(conditions: Conditions) -> dict[str, Any]:
    """What of the conditions a name does not tell: probabilities that the truth depends on."""
    return {
        "labelNoise": conditions.label_noise,
        "missingAtRandom": conditions.missingness.at_random,
        "missingByDiagnosis": {name: list(row) for name, row in conditions.missingness.by_diagnosis.items()},
    }


def _batch(order: Order, indices: range) -> list[Record]:
    return [_record(order, index) for index in indices]


def _record(order: Order, index: int) -> Record:
    patient = generate_patient(
        order.seed, index, side=order.side, anchor=order.anchor, spread_h=order.spread_h,
        model=build_model(order.dials), conditions=shift(order.shift),
    )  # fmt: skip
    there = patient.available
    return Record(
        patient_id=patient.patient_id,
        dicom=_dicom(patient) if "image" in there else None,
        note=_line(patient.note_json()) if "note" in there else None,
        vitals=patient.vitals_ndjson() if "vitals" in there else None,
        truth=_line(truth_json(patient, order.dials)),
        masks={_mask_name(patient, finding): _png(mask) for finding, mask in patient.truth.masks.items()},
    )


def _dicom(patient: WardPatient) -> bytes:
    buffer = BytesIO()
    patient.dataset().save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _png(mask: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _coding(code: Coding) -> dict[str, str]:
    return {"system": code.system, "code": code.code, "display": code.display}


def _mask_name(patient: WardPatient, finding: str) -> str:
    return f"{patient.patient_id}-{finding}.png"


def _at(patient: WardPatient, hours: float) -> str:
    return _rfc3339(patient.as_of + timedelta(seconds=round(hours * 3600)))


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
