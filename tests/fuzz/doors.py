"""The doors of a suite that evidence comes in by, each with good input of its own and what it says to broken input."""

from __future__ import annotations

import base64
import json
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx

from services.diagnosis.ward.generate import generate_patient
from tests.fuzz.mutations import mutate_bytes, mutate_json
from tests.services.notes.hl7_messages import mdm, oru
from tests.support.cases import Case, dicom_bytes, ndjson, stow
from tests.support.fit_files import RECORD, TIMESTAMP, UINT8, UINT32, fit_file
from tests.support.mllp import END, START
from tests.support.suite import RunningSuite

WAIT_S = 60.0
"""Whoever gets no answer for so long hangs."""
DICOM, IMPORT = "a DICOM file", "an import that ended"
"""What must be read back of an acknowledged item that is no text."""


@dataclass
class Answer:
    """What a door said to one input."""

    said: str
    """A status, an acknowledgement code, or `closed`."""
    failure: str | None = None
    """Why this answer is a fault of ours, in words without the input."""
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    """(path, what must be read there) of what was acknowledged."""


class Door(Protocol):
    """A way in."""

    name: str
    seeds: Sequence[bytes]

    def mutate(self, chance: random.Random, content: bytes) -> bytes:
        """Break an input."""

    def send(self, content: bytes) -> Answer:
        """Send it and hear the answer."""


def judged(response: httpx.Response, *, acknowledged: Sequence[tuple[str, str]] = ()) -> Answer:
    """An HTTP answer: any 5xx is a fault, and every refusal says why in a form that a program reads."""
    failure = f"status {response.status_code}" if response.status_code >= 500 else None
    if 400 <= response.status_code < 500 and not _says_why(response):
        failure = f"{response.status_code} without a reason"
    return Answer(str(response.status_code), failure, list(acknowledged))


def _says_why(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "")
    if "json" not in kind:
        return False
    body = response.json()
    return bool(body.get("title") or body.get("issue") or "00081198" in body)


@dataclass
class HttpDoor:
    """A body sent to a path."""

    name: str
    suite: RunningSuite
    path: str
    content_type: str
    seeds: Sequence[bytes]
    json: bool = False

    def mutate(self, chance: random.Random, content: bytes) -> bytes:
        mutate = mutate_json if self.json and chance.random() < 0.8 else mutate_bytes
        return mutate(chance, content, self.seeds)

    def send(self, content: bytes) -> Answer:
        response = self.suite.ehr.post(self.path, content=content, headers={"Content-Type": self.content_type})
        is_note = self.path == "/notes" and response.is_success
        return judged(response, acknowledged=[_note(content, response)] if is_note else ())


def _note(content: bytes, response: httpx.Response) -> tuple[str, str]:
    return f"/notes/{response.json()['id']}", json.loads(content)["text"]


@dataclass
class ImportDoor:
    """Files of devices in a form."""

    suite: RunningSuite
    seeds: Sequence[bytes]
    name: str = "imports"

    def mutate(self, chance: random.Random, content: bytes) -> bytes:
        return mutate_bytes(chance, content, self.seeds)

    def send(self, content: bytes) -> Answer:
        form = {"patient": "FUZZ-1", "zone": "Europe/Berlin"}
        response = self.suite.ehr.post("/vitals/imports", data=form, files={"file": ("file", content)})
        taken = [(response.headers["Location"], IMPORT)] if response.is_success else []
        return judged(response, acknowledged=taken)


@dataclass
class StowDoor:
    """Instances over STOW-RS."""

    suite: RunningSuite
    seeds: Sequence[bytes]
    name: str = "STOW-RS"

    def mutate(self, chance: random.Random, content: bytes) -> bytes:
        return _mutated_dicom(chance, content, self.seeds)

    def send(self, content: bytes) -> Answer:
        response = stow(self.suite.ehr, content)
        stored: list[tuple[str, str]] = []
        if response.status_code in (200, 202):
            for item in response.json().get("00081199", {}).get("Value", []):
                url = item["00081190"]["Value"][0]
                stored.append((httpx.URL(url).path, DICOM))
        return judged(response, acknowledged=stored)


@dataclass
class StoreDoor:
    """Data sets over C-STORE, as `storescu` sends them: the file meta information is read, the rest goes as it is."""

    suite: RunningSuite
    seeds: Sequence[bytes]
    directory: Path
    name: str = "C-STORE"

    def mutate(self, chance: random.Random, content: bytes) -> bytes:
        where = _end_of_meta(content)
        return content[:where] + _mutated_dicom(chance, content[where:], [seed[where:] for seed in self.seeds])

    def send(self, content: bytes) -> Answer:
        from pydicom.filereader import read_file_meta_info
        from pynetdicom import AE, _config

        path = self.directory / "mutated.dcm"
        path.write_bytes(content)
        meta = read_file_meta_info(path)
        _config.STORE_SEND_CHUNKED_DATASET = True
        scu = AE("FUZZ")
        scu.acse_timeout = scu.dimse_timeout = scu.network_timeout = WAIT_S
        scu.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
        association = scu.associate("127.0.0.1", self.suite.dimse_port, ae_title="CONSILIUM")
        if not association.is_established:
            return Answer("rejected", "no association")
        try:
            status = association.send_c_store(path)
        finally:
            association.release()
        if "Status" not in status:
            return Answer("closed", "no answer to C-STORE")
        code = f"{status.Status:04X}"
        # PS3.4 table B.2-1: A7xx is a lack of resources, which broken input must not look like.
        return Answer(code, "out of resources" if code.startswith("A7") else None)


def acknowledgement_code(answer: bytes) -> str:
    """MSA-1 of a framed acknowledgement, `??` where it has none. The answer speaks with the sender's separators."""
    separator = answer.removeprefix(START)[3:4]
    found = (line for line in answer.split(b"\r") if line.startswith(b"MSA" + separator))
    return next((line.split(separator)[1] for line in found), b"??").decode()


@dataclass
class MllpDoor:
    """HL7 v2 messages in frames."""

    suite: RunningSuite
    seeds: Sequence[bytes]
    name: str = "MLLP"

    def mutate(self, chance: random.Random, content: bytes) -> bytes:
        return mutate_bytes(chance, content, self.seeds)

    def send(self, content: bytes) -> Answer:
        inner = content.replace(START, b"").replace(END, b"").replace(b"\x1c", b"")
        with socket.create_connection(("127.0.0.1", self.suite.mllp_port), timeout=WAIT_S) as connection:
            connection.sendall(START + inner + END)
            # A message may ask for no answer (MSH-15 and -16 `NE`): then the end of the connection is the answer.
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while not answer.endswith(END):
                data = connection.recv(65536)
                if not data:
                    return Answer("closed")
                answer += data
        code = acknowledgement_code(answer)
        # AE and CE ask the sender to send the same again, which never helps a broken message.
        return Answer(code, f"acknowledged with {code}" if code not in ("AA", "AR", "CA", "CR") else None)


def all_doors(suite: RunningSuite, directory: Path, corpus: Path | None) -> list[Door]:
    """Every door, with good input made here and, where given, the files of a corpus by their endings."""
    case = Case.of(generate_patient(99, 0))
    films = [dicom_bytes(case.dataset), *_files(corpus, ".dcm")]
    samples = [{**sample, "patient": "FUZZ-1"} for sample in case.samples[:20]]
    attached = {"contentType": "text/plain", "data": base64.b64encode(b"Fever and cough.").decode()}
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"identifier": {"value": "FUZZ-1"}},
        "date": "2026-03-14T08:30:00Z",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34109-9"}]},
        "content": [{"attachment": attached}],
    }
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"identifier": {"value": "FUZZ-1"}},
        "effectiveDateTime": "2026-03-14T08:30:00Z",
        "valueQuantity": {"value": 88, "system": "http://unitsofmeasure.org", "code": "/min"},
    }
    hook = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": "FUZZ-1"},
    }
    fits = [fit_file([(RECORD, [(TIMESTAMP, UINT32, 1_142_412_300 + n), (3, UINT8, 80 + n)]) for n in range(5)])]
    return [
        StowDoor(suite, films),
        StoreDoor(suite, films[:1], directory),
        MllpDoor(
            suite,
            [mdm().encode(), mdm("T08").encode(), mdm(text=RTF).encode(), oru().encode(), *_files(corpus, ".hl7")],
        ),
        HttpDoor("notes", suite, "/notes", "application/json", [_json({**case.note, "patient": "FUZZ-1"})], True),
        HttpDoor("vitals NDJSON", suite, "/vitals/samples", "application/x-ndjson", [ndjson(samples)]),
        HttpDoor("vitals sample", suite, "/vitals/samples", "application/json", [_json(one) for one in samples], True),
        ImportDoor(suite, [*fits, _json([observation] * 3), *_files(corpus, ".fit")]),
        HttpDoor("DocumentReference", suite, "/fhir/DocumentReference", FHIR, [_json(document)], True),
        HttpDoor("Observation", suite, "/fhir/Observation", FHIR, [_json(observation)], True),
        HttpDoor("CDS hook", suite, "/cds-services/consilium-acute-chest", "application/json", [_json(hook)], True),
        HttpDoor("diagnoses", suite, "/diagnoses", "application/json", [_json({"patient": "NOBODY-1"})], True),
        HttpDoor("consents", suite, "/consents", "application/json", [_json(CONSENT)], True),
    ]


FHIR = "application/fhir+json"
RTF = r"{\E\rtf1\E\ansi Fi\E\'e8vre {\E\b and} \E\u946?-blocker\E\par 5 mg}"
"""Rich text with the escapes of HL7 v2."""
CONSENT = {"patient": "FUZZ-1", "decision": "permit", "purpose": "TREAT", "modalities": ["note"]}


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _files(corpus: Path | None, ending: str) -> list[bytes]:
    found = sorted(corpus.rglob(f"*{ending}")) if corpus is not None else []
    return [content for path in found if 0 < len(content := path.read_bytes()) <= 600_000]


def _end_of_meta(content: bytes) -> int:
    # PS3.10 section 7.1: preamble, `DICM`, then (0002,0000) UL with the length of the group.
    return 144 + int.from_bytes(content[140:144], "little")


def _mutated_dicom(chance: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    # Most bytes are pixels, in which a change is no fault: two in three changes go to the header.
    if chance.random() < 0.67:
        head = min(len(content), 3000)
        return mutate_bytes(chance, content[:head], [other[:3000] for other in others]) + content[head:]
    return mutate_bytes(chance, content, others)
