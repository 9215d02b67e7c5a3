"""The ward into a running suite, over the public contract and nothing else."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import httpx

from services.diagnosis.ward.export import Record

BOUNDARY = "consilium-ward-7b1f"
ATTEMPTS = 6


class AdmissionRefused(Exception):
    """The suite answered a patient's data with an error; the message holds the status and the problem's title only."""


@dataclass
class Admissions:
    """Sends patients to one suite and counts what became of their samples."""

    client: httpx.Client
    accepted: int = 0
    duplicates: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Reason -> samples."""

    def admit(self, record: Record) -> None:
        """Consent, then radiograph, note and vitals as far as there are any.

        Raises: AdmissionRefused, httpx.TransportError.
        """
        self._post("/consents", "application/json", json.dumps(_consent(record.patient_id)).encode())
        if record.dicom is not None:
            self._post("/dicomweb/studies", _MULTIPART, _multipart(record.dicom), accept="application/dicom+json")
        if record.note is not None:
            self._post("/notes", "application/json", record.note.encode())
        if record.vitals is not None:
            self._send_samples(record.vitals)

    def _send_samples(self, vitals: str) -> None:
        answer = self._post("/vitals/samples", "application/x-ndjson", vitals.encode()).json()
        self.accepted += answer["accepted"]
        self.duplicates += answer["duplicates"]
        for refusal in answer["rejected"]:
            self.rejected[refusal["reason"]] = self.rejected.get(refusal["reason"], 0) + 1

    def _post(self, path: str, content_type: str, body: bytes, accept: str = "application/json") -> httpx.Response:
        headers = {"Content-Type": content_type, "Accept": accept}
        for attempt in range(ATTEMPTS):
            answer = self.client.post(path, content=body, headers=headers)
            if answer.status_code not in {429, 503} or attempt == ATTEMPTS - 1:
                break
            time.sleep(_wait_s(answer, attempt))
        if not answer.is_success or answer.status_code == httpx.codes.ACCEPTED:
            raise AdmissionRefused(f"POST {path} answered {answer.status_code}: {_title(answer)}")
        return answer


def connect(url: str, token: str | None) -> Admissions:
    """Admissions to the suite at `url`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Admissions(httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=60.0))


_MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


def _multipart(instance: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return head + instance + f"\r\n--{BOUNDARY}--\r\n".encode()


def _consent(patient: str) -> dict[str, object]:
    return {"patient": patient, "decision": "permit", "purpose": "TREAT", "modalities": ["image", "note", "vitals"]}


def _wait_s(answer: httpx.Response, attempt: int) -> float:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), 10.0) if asked.isdigit() else 0.2 * 2**attempt


def _title(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(problem.get("title", answer.reason_phrase)) if isinstance(problem, dict) else answer.reason_phrase
