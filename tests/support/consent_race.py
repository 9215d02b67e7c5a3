"""Diagnosis and audit as they really run, on real sockets and databases, with a worker in this process whose jobs can
be raced against withdrawals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from services.audit.app import create_app as create_audit
from services.diagnosis import store
from services.diagnosis.app import create_app as create_diagnosis
from services.diagnosis.clients import ContentClient
from services.diagnosis.pulse import Pulse
from services.diagnosis.rows import OutboxRow
from services.diagnosis.running import Loaded, Worker, run_job
from services.diagnosis.settings import DiagnosisSettings
from services.suite.servers import free_port
from shared.database import migrate, reading
from shared.web import build_runtime
from tests.services.audit.support import settings_of
from tests.support.common import TestBed, make_test_bed
from tests.support.diagnosis_house import Valkey, hours_ago
from tests.support.diagnosis_neighbours import Ward, create_neighbours
from tests.support.diagnosis_predictor import BUNDLE, ArithmeticPredictor, OneModel
from tests.support.servers import serve

EVERYTHING = ["image", "note", "vitals"]


@dataclass(frozen=True)
class Raced:
    """One run: whether a result that used what was withdrawn stood when the withdrawal was answered, and in the end."""

    shown_when_answered: bool
    shown_at_last: bool
    job_s: float

    @property
    def is_violation(self) -> bool:
        """A result was released after its consent was withdrawn."""
        return self.shown_at_last and not self.shown_when_answered


@dataclass(frozen=True)
class Course:
    """Where jobs and withdrawals race."""

    bed: TestBed
    ward: Ward
    worker: Worker
    audit: httpx.Client
    diagnosis: httpx.Client

    def admit(self, patient: str) -> tuple[str, str]:
        """A patient with all evidence and a consent, and a queued job; gives both ids."""
        self.ward.add_image(patient, hours_ago(5))
        self.ward.add_note(patient, hours_ago(4))
        self.ward.add_heart_rate(patient, hours_ago(3))
        consent = {"patient": patient, "decision": "permit", "purpose": "TREAT", "modalities": EVERYTHING}
        given = self._post(self.audit, "/consents", consent)
        return str(given["id"]), str(self._post(self.diagnosis, "/diagnoses", {"patient": patient})["id"])

    def withdraw(self, consent: str) -> None:
        """Returns when the withdrawal was answered."""
        self._post(self.audit, f"/consents/{consent}/withdraw", None)

    def shows_evidence(self, job: str) -> bool:
        """Whether a result is released that used anything."""
        with reading(self.worker.runtime.sessions) as session:
            found = store.released_results(session, [job]).get(job)
        return found is not None and any(m.status == "used" for m in found.body.modalities.values())

    def race(self, patient: str, wait: Callable[[], None]) -> Raced:
        """Carry a job out, and withdraw its consent when `wait` returns."""
        consent, job = self.admit(patient)
        spent: list[float] = []

        def _work() -> None:
            started = time.perf_counter()
            run_job(self.worker, job)
            spent.append(time.perf_counter() - started)

        thread = threading.Thread(target=_work)
        thread.start()
        wait()
        self.withdraw(consent)
        answered = self.shows_evidence(job)
        thread.join()
        return Raced(answered, self.shows_evidence(job), spent[0])

    def _post(self, client: httpx.Client, path: str, body: Any) -> Any:
        answer = client.post(path, json=body, headers=self.bed.headers())
        assert answer.is_success, (path, answer.status_code)
        return answer.json()


@contextmanager
def open_course(directory: Path, database_url: str | None = None, **audit: Any) -> Iterator[Course]:
    """Start everything; `audit` overrides settings of the audit service."""
    with ExitStack() as stack:
        ward = Ward()
        neighbours = stack.enter_context(serve(create_neighbours(ward)))
        valkey = Valkey(directory)
        valkey.start()
        stack.callback(valkey.kill)
        ports = {"audit": free_port(), "diagnosis": free_port()}
        urls = {f"{name}_url": neighbours for name in ("imaging", "notes", "vitals")}
        urls |= {f"{name}_url": f"http://127.0.0.1:{port}" for name, port in ports.items()}
        bed = make_test_bed(directory, broker_url=valkey.url, **urls)
        stack.enter_context(
            serve(create_audit(settings_of(bed, **{"release_barrier": True, **audit}), bed.common), ports["audit"])
        )
        # Nothing is sent again here: the one worker is driven by the test.
        settings = DiagnosisSettings(database_url=database_url or bed.sqlite("diagnosis"), sweep_s=60.0, watch_s=60.0)
        migrate(settings.database_url, "diagnosis")
        stack.enter_context(serve(create_diagnosis(settings, bed.common), ports["diagnosis"]))
        worker = stack.enter_context(_worker(bed, settings, directory))
        clients = [
            stack.enter_context(httpx.Client(base_url=bed.common.audit_url, timeout=30, trust_env=False)),
            stack.enter_context(httpx.Client(base_url=bed.common.diagnosis_url, timeout=30, trust_env=False)),
        ]
        yield Course(bed, ward, worker, *clients)


@contextmanager
def _worker(bed: TestBed, settings: DiagnosisSettings, directory: Path) -> Iterator[Worker]:
    runtime, contents = (
        build_runtime("diagnosis", bed.common, settings.database_url, OutboxRow),
        ContentClient(bed.common),
    )
    pulse = Pulse(runtime.sessions, settings, "racer", lambda: BUNDLE.digest)
    models = OneModel(Loaded(ArithmeticPredictor(directory)))
    pulse.start()
    try:
        yield Worker("racer", runtime, settings, contents, models, pulse)
    finally:
        pulse.stop()
        contents.close()
        runtime.audit.close()
        runtime.sessions.kw["bind"].dispose()
