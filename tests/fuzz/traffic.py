"""Senders that never give up: each sends new evidence by one door until told to stop, and keeps what was acknowledged.

As real senders do, one that gets no answer, or is told to come back later, sends the same item again.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from services.diagnosis.ward.generate import generate_patient
from tests.services.notes.hl7_messages import mdm
from tests.support.cases import Case, dicom_bytes, dicom_copy, send_vitals, stow
from tests.support.mllp import END, START
from tests.support.suite import RunningSuite

PAUSE_S = 0.05
ANSWER_S = 30.0


class ComeBackLater(Exception):
    """The door took nothing and said so, or did not answer; what it said."""


@dataclass
class Traffic:
    """Evidence on its way by every door at once."""

    suite: RunningSuite
    directory: Path
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    """Door -> keys that `find_lost` can look up."""
    said: Counter[str] = field(default_factory=Counter)
    """What refusals said, such as `notes: 503`."""
    refused: list[str] = field(default_factory=list)
    """Good items that a door refused for good: there must be none."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Traffic:
        """Begin to send by all doors."""
        case = Case.of(generate_patient(55, 0))
        senders: dict[str, Callable[[str], str]] = {
            "STOW-RS": _Films(self.suite, case.dataset).stow,
            "C-STORE": _Films(self.suite, case.dataset, self.directory).store,
            "notes": lambda patient: _note(self.suite, case, patient),
            "vitals": lambda patient: _sample(self.suite, patient),
            "MLLP": lambda patient: _message(self.suite, patient),
        }
        for door, send in senders.items():
            self.acknowledged[door] = []
            self._threads.append(threading.Thread(target=self._run, args=(door, send), daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop after the items in hand."""
        self._stop.set()
        for thread in self._threads:
            thread.join(ANSWER_S * 2)

    def _run(self, door: str, send: Callable[[str], str]) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                self.acknowledged[door].append(send(f"{door.replace('-', '').upper()}-{number}"))
                number += 1
            except ComeBackLater as answer:
                self.said[f"{door}: {answer}"] += 1
                time.sleep(PAUSE_S * 4)
            except Exception as error:
                # A refusal of good evidence, or a fault of the sender itself: a thread must not end unseen.
                self.refused.append(f"{door}: {type(error).__name__}: {error}")
                number += 1
            time.sleep(PAUSE_S)


def find_lost(suite: RunningSuite, acknowledged: dict[str, list[str]]) -> list[str]:
    """What was acknowledged and is not there."""
    there: dict[str, Callable[[str], bool]] = {
        "STOW-RS": lambda uid: _has_instance(suite, uid),
        "C-STORE": lambda uid: _has_instance(suite, uid),
        "notes": lambda id_: suite.clinician.get(f"/notes/{id_}").status_code == 200,
        "vitals": lambda patient: _samples_of(suite, patient) == 1,
        "MLLP": lambda patient: len(_notes_of(suite, patient)) == 1,
    }
    return [f"{door} {key}" for door, keys in acknowledged.items() for key in keys if not there[door](key)]


class _Films:
    """One film after the other, each an instance of its own; the one that was not acknowledged stays the same."""

    def __init__(self, suite: RunningSuite, template: FileDataset, directory: Path | None = None) -> None:
        self._suite, self._template, self._directory = suite, dicom_copy(template), directory
        self._next: FileDataset | None = None

    def stow(self, patient: str) -> str:
        film = self._film(patient)
        answer = _asked(lambda: stow(self._suite.ehr, dicom_bytes(film)))
        assert answer.status_code == 200, answer.text
        return self._acknowledged()

    def store(self, patient: str) -> str:
        from pynetdicom import AE

        film = self._film(patient)
        scu = AE("TRAFFIC")
        scu.acse_timeout = scu.dimse_timeout = scu.network_timeout = ANSWER_S
        scu.add_requested_context(film.SOPClassUID, film.file_meta.TransferSyntaxUID)
        association = scu.associate("127.0.0.1", self._suite.dimse_port, ae_title="CONSILIUM")
        if not association.is_established:
            raise ComeBackLater("no association")
        try:
            status = association.send_c_store(film).get("Status")
        except (RuntimeError, ValueError) as error:
            raise ComeBackLater("aborted") from error
        finally:
            association.release()
        # PS3.4 table B.2-1: A7xx asks to come back; 0110 is a fault of processing, which a good film must not cause.
        if status is None or status & 0xFF00 == 0xA700:
            raise ComeBackLater("no answer" if status is None else f"{status:04X}")
        assert status == 0, f"{status:04X}"
        return self._acknowledged()

    def _film(self, patient: str) -> FileDataset:
        if self._next is None:
            film = self._template
            film.StudyInstanceUID, film.SeriesInstanceUID = generate_uid(), generate_uid()
            film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            film.PatientID = patient
            self._next = film
        return self._next

    def _acknowledged(self) -> str:
        film, self._next = self._next, None
        assert film is not None
        return str(film.SOPInstanceUID)


def _note(suite: RunningSuite, case: Case, patient: str) -> str:
    body = {"patient": patient, "authored": "2026-03-14T08:30:00Z", "type": "34109-9", "text": case.note["text"]}
    answer = _asked(lambda: suite.ehr.post("/notes", json=body))
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def _sample(suite: RunningSuite, patient: str) -> str:
    sample = {"patient": patient, "code": "8867-4", "value": 88, "unit": "/min", "effective": _NOW}
    answer = _asked(lambda: send_vitals(suite.ehr, [sample]))
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] + answer.json()["duplicates"] == 1, answer.text
    return patient


_NOW = datetime.now(UTC).isoformat()


def _message(suite: RunningSuite, patient: str) -> str:
    message = mdm(control_id=patient, number=f"DOC-{patient}", patient=patient).encode()
    try:
        with socket.create_connection(("127.0.0.1", suite.mllp_port), timeout=ANSWER_S) as connection:
            connection.sendall(START + message + END)
            answer = b""
            while not answer.endswith(END):
                data = connection.recv(65536)
                if not data:
                    raise ComeBackLater("closed")
                answer += data
    except OSError as error:
        raise ComeBackLater(type(error).__name__) from error
    if b"\rMSA|AE|" in answer:
        raise ComeBackLater("AE")
    assert b"\rMSA|AA|" in answer, "acknowledged with AR"
    return patient


def _asked(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """An answer that is final. Raises: ComeBackLater: there is none, or it asks to come back."""
    try:
        answer = ask()
    except httpx.HTTPError as error:
        raise ComeBackLater(type(error).__name__) from error
    # 502 and 504 are those of the gateway before a service that is just being started again.
    if answer.status_code in (502, 503, 504, 507):
        raise ComeBackLater(str(answer.status_code))
    return answer


def _has_instance(suite: RunningSuite, uid: str) -> bool:
    answer = suite.clinician.get("/dicomweb/instances", params={"SOPInstanceUID": uid})
    if answer.status_code != 200 or len(answer.json()) != 1:
        return False
    url = httpx.URL(answer.json()[0]["00081190"]["Value"][0]).path
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    return suite.clinician.get(url, headers={"Accept": accept}).status_code == 200


def _samples_of(suite: RunningSuite, patient: str) -> int:
    question = {"patient": patient, "start": "2026-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
    answer: dict[str, Any] = suite.clinician.post("/vitals/search", json=question).json()
    return int(answer["total"])


def _notes_of(suite: RunningSuite, patient: str) -> list[Any]:
    items: list[Any] = suite.clinician.post("/notes/search", json={"patient": patient}).json()["items"]
    return items
