"""Patients to send into a running suite, and the sending, over the public contract alone."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from pydicom import FileDataset, dcmwrite

from services.diagnosis.ward.patient import WardPatient
from tests.support.suite import RunningSuite

ALL = ("image", "note", "vitals")
BOUNDARY = "consilium-test-boundary"


def rename(patient: WardPatient, patient_id: str) -> WardPatient:
    """The same patient under another identifier (and so with other DICOM UIDs)."""
    return dataclasses.replace(patient, patient_id=patient_id)


@dataclass(frozen=True)
class Case:
    """What a sender holds of one patient: a DICOM instance, a note, samples."""

    patient: str
    dataset: FileDataset
    note: dict[str, str]
    samples: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, patient: WardPatient) -> Case:
        """The case of a synthetic patient."""
        samples = tuple(json.loads(line) for line in patient.vitals_ndjson().splitlines())
        return cls(patient.patient_id, patient.dataset(), patient.note_json(), samples)

    def renamed(self, patient: str) -> Case:
        """The same evidence of another patient: new identifiers everywhere, nothing else changed."""
        dataset = dicom_copy(self.dataset)
        dataset.PatientID = patient
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(dataset, keyword, f"{getattr(dataset, keyword)[:40]}.{abs(hash(patient)) % 10**12}")
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        note = {**self.note, "patient": patient}
        samples = tuple({**sample, "patient": patient} for sample in self.samples)
        return Case(patient, dataset, note, samples)

    def with_note(self, text: str) -> Case:
        """Another text."""
        return replace(self, note={**self.note, "text": text})

    def with_pixels(self, pixels: np.ndarray[Any, Any]) -> Case:
        """Another picture, of the same type and size."""
        dataset = dicom_copy(self.dataset)
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            dataset.decompress(generate_instance_uid=False)
        dataset.PixelData = pixels.tobytes()
        return replace(self, dataset=dataset)


def dicom_bytes(dataset: FileDataset) -> bytes:
    """A data set as a DICOM file."""
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def dicom_copy(dataset: FileDataset) -> FileDataset:
    """An independent copy."""
    from pydicom import dcmread

    return dcmread(io.BytesIO(dicom_bytes(dataset)))


def stow(http: httpx.Client, *instances: bytes) -> httpx.Response:
    """Store instances over STOW-RS."""
    parts = [f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + i + b"\r\n" for i in instances]
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    content_type = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    return http.post("/dicomweb/studies", content=body, headers={"Content-Type": content_type})


def ndjson(samples: Sequence[dict[str, Any]]) -> bytes:
    """Samples one a line."""
    return "".join(json.dumps(sample) + "\n" for sample in samples).encode()


def send_vitals(http: httpx.Client, samples: Sequence[dict[str, Any]]) -> httpx.Response:
    """Post samples."""
    return http.post("/vitals/samples", content=ndjson(samples), headers={"Content-Type": "application/x-ndjson"})


def consent(
    http: httpx.Client, patient: str, modalities: Sequence[str] = ALL, decision: str = "permit", purpose: str = "TREAT"
) -> httpx.Response:
    """Record a consent."""
    body = {"patient": patient, "decision": decision, "purpose": purpose, "modalities": list(modalities)}
    return http.post("/consents", json=body)


def admit(
    suite: RunningSuite, case: Case, *, evidence: Sequence[str] = ALL, consents: Sequence[str] | None = ALL
) -> None:
    """Send a case as an EHR would; everything must be taken."""
    http = suite.ehr
    if "image" in evidence:
        assert stow(http, dicom_bytes(case.dataset)).status_code == 200
    if "note" in evidence:
        assert http.post("/notes", json=case.note).status_code == 201
    if "vitals" in evidence:
        answer = send_vitals(http, case.samples)
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] > 0
    if consents:
        assert consent(http, case.patient, consents).status_code == 201


def probabilities(result: dict[str, Any]) -> dict[str, float]:
    """Probability by SNOMED CT code."""
    return {d["code"]["code"]: d["probability"] for d in result["diagnoses"]}


def consilium(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would."""
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120)


def entries_about(suite: RunningSuite, object_id: str, type_: str = "prediction") -> list[dict[str, Any]]:
    """Log entries of one type about one object."""
    answer = suite.auditor.get("/audit/entries", params={"objectId": object_id, "type": type_}).raise_for_status()
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def save(directory: Path, case: Case) -> Path:
    """Write the DICOM file of a case."""
    path = directory / f"{case.patient}.dcm"
    path.write_bytes(dicom_bytes(case.dataset))
    return path
