"""The ward on disk: DICOM files, NDJSON of notes, vitals and truth, masks as PNG."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from services.diagnosis.ward.generate import CHUNK, generate_patient
from services.diagnosis.ward.parallel import in_order
from services.diagnosis.ward.patient import WardPatient
from shared.codes import DIAGNOSES


@dataclass(frozen=True)
class Order:
    """Which patients to make."""

    seed: int
    patients: int
    anchor: datetime
    spread_h: float
    processes: int
    side: int = 512


@dataclass(frozen=True)
class Record:
    """All files of one patient, as bytes and lines."""

    patient_id: str
    dicom: bytes
    note: str
    """One line of JSON."""
    vitals: str
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
            (directory / "dicom" / f"{record.patient_id}.dcm").write_bytes(record.dicom)
            for name, png in record.masks.items():
                (directory / "masks" / name).write_bytes(png)
            notes.write(record.note)
            vitals.write(record.vitals)
            truth.write(record.truth)
            yield record


def truth_json(patient: WardPatient) -> dict[str, Any]:
    """One line of `truth.ndjson`."""
    truth, findings = patient.truth, patient.latents.findings
    return {
        "patient": patient.patient_id,
        "asOf": _rfc3339(patient.as_of),
        "ageYears": patient.person.age_years,
        "sex": patient.person.sex,
        "diagnosis": _coding(truth.label),
        "deterioration24h": truth.deterioration,
        "deteriorationProbability": truth.deterioration_posterior["image+note+vitals"],
        "labels": [_coding(label) for label in range(len(DIAGNOSES))],
        "posterior": truth.posterior,
        "findings": dict(findings),
        "spans": [{"start": s, "end": e, "finding": f, "negated": n} for s, e, f, n in truth.spans],
        "windows": [
            {"code": code, "from": _at(patient, start), "to": _at(patient, end), "finding": finding}
            for code, start, end, finding in truth.windows
        ],
        "masks": {finding: f"masks/{_mask_name(patient, finding)}" for finding in truth.masks},
        "sopInstanceUid": str(patient.dataset().SOPInstanceUID),
    }


def _batch(order: Order, indices: range) -> list[Record]:
    return [_record(order, index) for index in indices]


def _record(order: Order, index: int) -> Record:
    patient = generate_patient(order.seed, index, side=order.side, anchor=order.anchor, spread_h=order.spread_h)
    return Record(
        patient_id=patient.patient_id,
        dicom=_dicom(patient),
        note=_line(patient.note_json()),
        vitals=patient.vitals_ndjson(),
        truth=_line(truth_json(patient)),
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


def _coding(label: int) -> dict[str, str]:
    code = DIAGNOSES[label]
    return {"system": code.system, "code": code.code, "display": code.display}


def _mask_name(patient: WardPatient, finding: str) -> str:
    return f"{patient.patient_id}-{finding}.png"


def _at(patient: WardPatient, hours: float) -> str:
    return _rfc3339(patient.as_of + timedelta(seconds=round(hours * 3600)))


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
