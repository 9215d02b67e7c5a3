"""A sender for each door of a running suite, to be called at a steady rate: good evidence, new each time."""

from __future__ import annotations

import base64
import itertools
import socket
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from services.diagnosis.ward.generate import generate_patient
from tests.services.notes.hl7_messages import mdm
from tests.support.cases import Case, admit, dicom_bytes, dicom_copy, send_vitals, stow
from tests.support.mllp import END, START
from tests.support.suite import FINAL, RunningSuite

ANSWER_S = 60.0
PATIENTS = 12
"""Who are there at a time. One comes with each diagnosis, and one goes: what is known of a patient does not grow."""
SAMPLES = 20


@dataclass
class Senders:
    """What is sent by each door; every sender gives what the door said."""

    suite: RunningSuite
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _patients: deque[str] = field(default_factory=lambda: deque(maxlen=PATIENTS))
    _pending: list[str] = field(default_factory=list)
    _cases: list[Case] = field(default_factory=lambda: [Case.of(generate_patient(55, n)) for n in range(PATIENTS)])

    def admit(self) -> str:
        """Bring a patient in with all kinds of evidence."""
        number = next(self._numbers)
        case = self._cases[number % PATIENTS].renamed(f"SOAK-{number:06d}")
        admit(self.suite, case)
        self._patients.append(case.patient)
        return case.patient

    def by_door(self) -> dict[str, Callable[[], str]]:
        """The sender of each door."""
        return {
            "STOW-RS": self.stow,
            "C-STORE": self.store,
            "notes": self.note,
            "MLLP": self.message,
            "FHIR document": self.document,
            "FHIR observation": self.observation,
            "vitals": self.samples,
            "reads": self.read,
            "diagnosis": self.diagnose,
        }

    def stow(self) -> str:
        return str(stow(self.suite.ehr, dicom_bytes(self._film())).status_code)

    def store(self) -> str:
        from pynetdicom import AE

        film = self._film()
        scu = AE("SOAK")
        scu.acse_timeout = scu.dimse_timeout = scu.network_timeout = ANSWER_S
        scu.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
        association = scu.associate("127.0.0.1", self.suite.dimse_port, ae_title="CONSILIUM")
        if not association.is_established:
            return "no association"
        try:
            return f"{association.send_c_store(film).get('Status', 0xFFFF):04X}"
        finally:
            association.release()

    def note(self) -> str:
        body = {"patient": self._patient(), "authored": _now(), "type": "34109-9", "text": self._text()}
        return str(self.suite.ehr.post("/notes", json=body).status_code)

    def message(self) -> str:
        number = next(self._numbers)
        content = mdm(control_id=f"S-{number}", number=f"DOC-{number}", patient=self._patient(), text=self._text())
        with socket.create_connection(("127.0.0.1", self.suite.mllp_port), timeout=ANSWER_S) as connection:
            connection.sendall(START + content.encode() + END)
            answer = b""
            while not answer.endswith(END) and (data := connection.recv(65536)):
                answer += data
        return "AA" if b"\rMSA|AA|" in answer else "not accepted"

    def document(self) -> str:
        attachment = {"contentType": "text/plain", "data": base64.b64encode(self._text().encode()).decode()}
        body = {
            "resourceType": "DocumentReference",
            "status": "current",
            "subject": {"identifier": {"value": self._patient()}},
            "date": _now(),
            "type": {"coding": [{"system": "http://loinc.org", "code": "34109-9"}]},
            "content": [{"attachment": attachment}],
        }
        return self._fhir("DocumentReference", body)

    def observation(self) -> str:
        body = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"identifier": {"value": self._patient()}},
            "effectiveDateTime": _now(),
            "valueQuantity": {"value": 88, "system": "http://unitsofmeasure.org", "code": "/min"},
        }
        return self._fhir("Observation", body)

    def samples(self) -> str:
        patient, number, now = self._patient(), next(self._numbers), datetime.now(UTC)
        sample = {"patient": patient, "code": "8867-4", "unit": "/min", "device": f"watch-{patient}"}
        times = [(now - timedelta(seconds=n)).isoformat() for n in range(SAMPLES)]
        sent = [{**sample, "value": 70 + (number + n) % 30, "effective": at} for n, at in enumerate(times)]
        return str(send_vitals(self.suite.ehr, sent).status_code)

    def read(self) -> str:
        """What a clinician's page asks for: work-list, notes, vitals, radiographs, the FHIR facade."""
        patient, http = self._patient(), self.suite.clinician
        now = datetime.now(UTC)
        span = {"start": (now - timedelta(hours=72)).isoformat(), "end": now.isoformat()}
        asked = [
            lambda: http.get("/diagnoses", params={"limit": 20}),
            lambda: http.post("/notes/search", json={"patient": patient}),
            lambda: http.post("/vitals/search", json={"patient": patient, **span, "limit": 2000, "downsample": True}),
            lambda: http.get("/dicomweb/studies", params={"limit": 10}),
            lambda: http.get("/fhir/metadata"),
            lambda: http.get("/openapi.json"),
        ]
        return str(asked[next(self._numbers) % len(asked)]().status_code)

    def diagnose(self) -> str:
        """Bring a patient in and ask for a diagnosis, and look what became of those before."""
        http = self.suite.clinician
        for job in list(self._pending):
            answer = http.get(f"/diagnoses/{job}").raise_for_status().json()
            if answer["status"] == "failed":
                return "failed"
            if answer["status"] in FINAL:
                self._pending.remove(job)
        if len(self._pending) > PATIENTS:
            return "the worker falls behind"
        answer = http.post("/diagnoses", json={"patient": self.admit()})
        self._pending.append(answer.json()["id"])
        return str(answer.status_code)

    def _fhir(self, kind: str, body: dict[str, Any]) -> str:
        headers = {"Content-Type": "application/fhir+json"}
        return str(self.suite.ehr.post(f"/fhir/{kind}", json=body, headers=headers).status_code)

    def _film(self) -> FileDataset:
        film = dicom_copy(self._cases[0].dataset)
        film.StudyInstanceUID, film.SeriesInstanceUID = generate_uid(), generate_uid()
        film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        film.PatientID = self._patient()
        return film

    def _patient(self) -> str:
        """One of those who are there every other time, else somebody of whom nothing else is known."""
        number = next(self._numbers)
        return self._patients[number // 2 % len(self._patients)] if number % 2 else f"SOAK-NEW-{number}"

    def _text(self) -> str:
        return f"{self._cases[0].note['text']} Seen {next(self._numbers)} times."


GOOD = frozenset({"200", "201", "202", "0000", "AA"})
"""What a door says that took what it was sent."""


def _now() -> str:
    return datetime.now(UTC).isoformat()
