"""Every service that keeps patient data, on real sockets and databases, with a worker in this process."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from services.audit.app import create_app as create_audit
from services.diagnosis.app import create_app as create_diagnosis
from services.diagnosis.clients import ContentClient
from services.diagnosis.pulse import Pulse
from services.diagnosis.rows import OutboxRow
from services.diagnosis.running import Loaded, Worker, run_job
from services.diagnosis.settings import DiagnosisSettings
from services.ehr.app import create_app as create_ehr
from services.ehr.settings import EhrSettings
from services.imaging.app import create_app as create_imaging
from services.imaging.settings import Settings as ImagingSettings
from services.notes.app import create_app as create_notes
from services.notes.settings import Settings as NotesSettings
from services.suite.servers import free_port
from services.vitals.app import create_app as create_vitals
from services.vitals.settings import Settings as VitalsSettings
from shared.auth import Role
from shared.clock import utc_now
from shared.database import migrate
from shared.web import build_runtime
from tests.services.audit.support import settings_of
from tests.services.ehr.hooks.test_feedback import FEEDBACK, overridden
from tests.services.ehr.hooks.test_hooks import SERVICE, call
from tests.services.imaging.radiographs import encoded, multipart, radiograph
from tests.services.notes.hl7_messages import mdm
from tests.services.vitals.imports.importing import import_file
from tests.support.common import TestBed, make_test_bed
from tests.support.diagnosis_house import hours_ago
from tests.support.diagnosis_predictor import BUNDLE, ArithmeticPredictor, OneModel
from tests.support.files import files_below
from tests.support.mllp import peer
from tests.support.servers import serve

SERVICES = ("imaging", "notes", "vitals", "diagnosis", "ehr")
Urls = Callable[[str], str]
"""The database of each service."""


class Remembering(ArithmeticPredictor):
    """Counts how often it was told to forget."""

    forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1


@dataclass
class House:
    """A suite whose services can be asked and whose files can be looked into."""

    bed: TestBed
    urls: dict[str, str]
    apps: dict[str, Any]
    predictor: Remembering
    worker: Worker
    _clients: dict[tuple[str, Role], httpx.Client] = field(default_factory=dict)

    def client(self, service: str, role: Role = Role.CLINICIAN) -> httpx.Client:
        """A client of one service with a token of one role."""
        if (service, role) not in self._clients:
            http = httpx.Client(
                base_url=self.urls[service], headers=self.bed.headers(role), timeout=30, trust_env=False
            )
            self._clients[service, role] = http
        return self._clients[service, role]

    def close(self) -> None:
        """Close the connections."""
        for http in self._clients.values():
            http.close()

    def post(self, service: str, path: str, body: Any, role: Role = Role.CLINICIAN) -> Any:
        """POST; gives the body of a 2xx answer."""
        answer = self.client(service, role).post(path, json=body)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    def admit(self, patient: str, words: str) -> str:
        """A patient with something in every store, whose texts hold `words`; gives the id of a finished diagnosis."""
        everything = ["image", "note", "vitals"]
        consent = {"patient": patient, "decision": "permit", "purpose": "TREAT", "modalities": everything}
        self.post("audit", "/consents", consent)
        glass = {"patient": patient, "modalities": ["note"], "reason": f"{words} lies unconscious"}
        access = self.post("audit", "/consents/break-glass", glass)
        review = {"finding": "justified", "comment": f"it was {words} indeed"}
        self.post("audit", f"/consents/break-glass/{access['id']}/review", review, Role.AUDITOR)
        body, content_type = multipart(
            encoded(radiograph(PatientID=patient, PatientName=words, StudyDescription=words))
        )
        assert self.client("imaging").post("/dicomweb/studies", content=body, headers=content_type).status_code == 200
        authored = hours_ago(4).isoformat()
        note = {"patient": patient, "authored": authored, "type": "34111-5", "text": f"Fever. {words} coughs."}
        first = self.post("notes", "/notes", note)
        self.post("notes", "/notes", {**note, "text": f"Fever. {words} is better.", "replaces": first["id"]})
        with peer(self.apps["notes"].state.mllp_port) as sender:
            sender.ask(mdm(patient=patient, number=f"D-{patient}", control_id=f"M-{patient}", text=f"{words} slept."))
        self._send_samples(patient, words)
        job = str(self.post("diagnosis", "/diagnoses", {"patient": patient})["id"])
        run_job(self.worker, job)
        shown = self.client("diagnosis").get(f"/diagnoses/{job}").json()
        assert shown["status"] in ("succeeded", "abstained"), shown
        self.post("diagnosis", f"/diagnoses/{job}/feedback", {"action": "comment", "text": f"{words} it is"})
        self._answer_card(patient, words)
        return job

    def _send_samples(self, patient: str, words: str) -> None:
        now = utc_now()
        sample = {"patient": patient, "code": "8867-4", "value": 71, "unit": "/min", "device": f"watch of {words}"}
        lines = [
            {**sample, "value": 60 + n, "effective": hours_ago(3 + n / 60).isoformat(), "sent": now.isoformat()}
            for n in range(5)
        ]
        content = "\n".join(map(json.dumps, lines))
        kind = {"Content-Type": "application/x-ndjson"}
        assert self.client("vitals").post("/vitals/samples", content=content, headers=kind).status_code == 200
        for named in (patient, ""):
            observation = {
                "resourceType": "Observation", "status": "final", "subject": {"identifier": {"value": patient}},
                "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}], "text": words},
                "effectiveDateTime": hours_ago(6 if named else 7).isoformat(),
                "valueQuantity": {"value": 65, "system": "http://unitsofmeasure.org", "code": "/min"},
            }  # fmt: skip
            broken = {**observation, "valueQuantity": {}}
            file = "\n".join(map(json.dumps, [observation, broken])).encode()
            found = import_file(self.client("vitals"), file, **({"patient": named} if named else {}))
            assert found["counts"]["accepted"] == 1, found

    def _answer_card(self, patient: str, words: str) -> None:
        seen = {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:mrn", "value": patient}]}
        asked = call(prefetch={"patient": seen}, context={"userId": "Practitioner/1", "patientId": "p"})
        card = self.post("ehr", SERVICE, asked, Role.EHR_SYSTEM)["cards"][0]["uuid"]
        answer = overridden(card)
        answer["overrideReason"]["userComment"] = f"{words} said no"
        assert self.client("ehr", Role.EHR_SYSTEM).post(FEEDBACK, json={"feedback": [answer]}).is_success

    def erase(self, patient: str, within_s: float = 60.0) -> dict[str, Any]:
        """Have a patient erased; gives the finished erasure."""
        asked = self.post("audit", "/erasures", {"patient": patient, "reason": "asked to be forgotten"}, Role.ADMIN)
        return self.finished(asked["id"], within_s)

    def finished(self, erasure_id: str, within_s: float = 60.0) -> dict[str, Any]:
        """An erasure when it is done."""
        deadline = time.monotonic() + within_s
        while True:
            found: dict[str, Any] = self.erasure(erasure_id)
            if found["state"] == "done":
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def erasure(self, erasure_id: str) -> dict[str, Any]:
        """`GET /erasures/{id}`."""
        found: dict[str, Any] = self.client("audit", Role.AUDITOR).get(f"/erasures/{erasure_id}").json()
        return found


def tables_holding(directory: Path, *words: str) -> set[str]:
    """Which tables of which SQLite file below a directory hold one of these words."""
    found = set()
    for path in sorted(directory.glob("*.db")):
        with sqlite3.connect(path) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                for row in connection.execute(f'SELECT * FROM "{name}"'):
                    text = " ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in row)
                    if any(word in text for word in words):
                        found.add(f"{path.stem}.{name}")
        connection.close()
    return found


def blobs_below(directory: Path) -> dict[str, bytes]:
    """Every file of the blob store, by its path."""
    root = directory / "blobs"
    return {str(path.relative_to(root)): path.read_bytes() for path in files_below(root)}


def copy_of_state(directory: Path, target: Path) -> None:
    """A backup: databases and blobs, and not the journal."""
    target.mkdir()
    for path in directory.glob("*.db"):
        with sqlite3.connect(path) as source, sqlite3.connect(target / path.name) as copy:
            source.backup(copy)
        source.close()
        copy.close()
    shutil.copytree(directory / "blobs", target / "blobs")


def restore(directory: Path, backup: Path) -> None:
    """Put a backup in the place of databases and blobs."""
    for path in directory.glob("*.db*"):
        path.unlink()
    shutil.rmtree(directory / "blobs")
    for path in backup.glob("*.db"):
        shutil.copy(path, directory / path.name)
    shutil.copytree(backup / "blobs", directory / "blobs")


@contextmanager
def open_house(directory: Path, database: Urls | None = None, bed: TestBed | None = None) -> Iterator[House]:
    """Start everything; with a bed, on what is there."""
    ports = {name: free_port() for name in (*SERVICES, "audit")}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    addresses = {f"{name}_url": url for name, url in urls.items()}
    if bed is None:
        bed = make_test_bed(directory, **addresses)
    bed = TestBed(directory, bed.issuer, bed.common.model_copy(update=addresses))
    database = database or bed.sqlite
    with ExitStack() as stack:
        for name in SERVICES:
            migrate(database(name), name)
        common = bed.common
        diagnosis = DiagnosisSettings(database_url=database("diagnosis"), sweep_s=60.0, watch_s=60.0, heartbeat_s=0.2)
        apps: dict[str, Any] = {
            "audit": create_audit(settings_of(bed, database_url=database("audit"), erasure_services=SERVICES), common),
            "imaging": create_imaging(
                ImagingSettings(
                    database_url=database("imaging"), dimse_enabled=False, decoders_started_ahead=False
                ),
                common,
            ),
            "notes": create_notes(NotesSettings(database_url=database("notes"), mllp_port=0), common),
            "vitals": create_vitals(VitalsSettings(database_url=database("vitals")), common),
            "diagnosis": create_diagnosis(diagnosis, common),
            "ehr": create_ehr(EhrSettings(database_url=database("ehr")), common),
        }  # fmt: skip
        for name, app in apps.items():
            stack.enter_context(serve(app, ports[name]))
        predictor = Remembering(directory)
        worker = stack.enter_context(_worker(bed, diagnosis, predictor))
        house = House(bed, urls, apps, predictor, worker)
        stack.callback(house.close)
        yield house


@contextmanager
def _worker(bed: TestBed, settings: DiagnosisSettings, predictor: Remembering) -> Iterator[Worker]:
    runtime = build_runtime("diagnosis", bed.common, settings.database_url, OutboxRow)
    contents = ContentClient(bed.common)
    pulse = Pulse(runtime.sessions, settings, "one", lambda: BUNDLE.digest, forget=predictor.forget)
    pulse.start()
    try:
        yield Worker("one", runtime, settings, contents, OneModel(Loaded(predictor)), pulse)
    finally:
        pulse.stop()
        contents.close()
        runtime.audit.close()
        runtime.sessions.kw["bind"].dispose()
