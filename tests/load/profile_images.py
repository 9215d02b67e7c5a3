"""Where the milliseconds of an instance go: one process that receives by C-STORE beside a running suite, step by step.

    python -m tests.load.profile_images --instances 200

The process is a receiver like the suite's own: same database, blob store, keys and audit service; the suite's web
process relays its events. dcmtk's storescu sends it the radiographs of `bench_ingest` (512 x 512, 16 bits, 525 kB) on
one association and on four. Each step's time is its own, without that of steps inside it: by the clock, in which the
machine's other work and waiting for locks and disks are, and of the processor. What is left of the process's own
processor time is pynetdicom's (sockets, PDUs, messages) and Python's threads.

Needs dcmtk (apt-get install dcmtk).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlalchemy.engine.default
from pynetdicom import evt
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

import shared.blobs
import shared.database
import shared.keys.blobs
import shared.outbox
from services.imaging import store
from services.imaging.dicom import reading
from services.imaging.dicom.decoders import open_decoders
from services.imaging.dimse.server import DimseServer
from services.imaging.settings import Settings
from services.imaging.store import OutboxRow
from services.imaging.usecases import ingest
from services.suite.servers import free_port
from shared.keys.store import KeyStore
from shared.settings import CommonSettings
from shared.web import Runtime, build_runtime
from tests.load.bench_ingest import Receiver, _storescu, radiograph, timed, write_films
from tests.support.suite import RunningSuite, running_suite

STEPS: tuple[tuple[Any, str, str], ...] = (
    (DimseServer, "_store", "the door itself, SQLAlchemy's sessions"),
    (evt.Event, "encoded_dataset", "file meta information before the data set"),
    (ingest, "digest_bytes", "SHA-256 of the file"),
    (reading, "_dataset_digest", "SHA-256 of the data set"),
    (ingest, "read_instance", "parse and check the data set"),
    (ingest, "_check_consent", "consent"),
    (ingest, "_known", "is it known? whose are its study and series?"),
    (ingest, "blobs_in", "where the patient's blobs lie"),
    (ingest, "look_at", "a first look at the pixels"),
    (ingest, "describe", "describe the header"),
    (KeyStore, "key_for", "the patient's data key"),
    (shared.keys.blobs, "seal", "seal (HKDF, AES-256-GCM)"),
    (shared.blobs.FileBlobs, "put", "write the file"),
    (os, "fsync", "sync file and directory"),
    (ingest, "enter", "the erasure's fence"),
    (ingest, "check_standing", "the erasure's fence"),
    (store, "claim", "rows: study, series, instance"),
    (store, "add_instance", "rows: study, series, instance"),
    (Runtime, "record", "the event"),
    (ingest, "_record_stored", "the event"),
    (shared.outbox, "_number", "the event: insert and number it"),
    (shared.database, "_begin_sqlite", "begin (SQLite's write lock)"),
    (sqlalchemy.engine.default.DefaultDialect, "do_commit", "commit, durable"),
)


_NUMBER = [name for _, name, _ in STEPS].index("_number")
WARM_UP = 20


@dataclass
class Spent:
    """Seconds by step, and how often it was taken."""

    wall: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    processor: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _own: threading.local = field(default_factory=threading.local)

    def watching(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, whose time is added to a step's when it is a part of storing an instance."""

        def watched(*args: Any, **options: Any) -> Any:
            within: list[list[float]] = self._own.__dict__.setdefault("within", [])
            if not within and work is not _STORE:
                return work(*args, **options)
            inner = [0.0, 0.0]
            within.append(inner)
            wall, processor = time.perf_counter(), time.thread_time()
            try:
                return work(*args, **options)
            finally:
                wall, processor = time.perf_counter() - wall, time.thread_time() - processor
                within.pop()
                self.wall[step] += wall - inner[0]
                self.processor[step] += processor - inner[1]
                if within:
                    within[-1][0] += wall
                    within[-1][1] += processor

        return watched


_STORE = DimseServer._store


@contextmanager
def watched_steps() -> Iterator[Spent]:
    """While it lasts, every step is watched; engines must be made inside."""
    spent, before = Spent(), [(owner, name, getattr(owner, name)) for owner, name, _ in STEPS]
    for owner, name, step in STEPS:
        setattr(owner, name, spent.watching(step, getattr(owner, name)))
    _listen_instead(before[_NUMBER][2], shared.outbox._number)
    try:
        yield spent
    finally:
        _listen_instead(shared.outbox._number, before[_NUMBER][2])
        for owner, name, work in before:
            setattr(owner, name, work)


def _listen_instead(before: Any, now: Any) -> None:
    """A session's listeners are kept as they were when they were registered."""
    sa.event.remove(Session, "before_commit", before)
    sa.event.listen(Session, "before_commit", now)


def main() -> None:
    """Send, and print the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--senders", type=int, nargs="+", default=[1, 4])
    arguments = parser.parse_args()
    if shutil.which("storescu") is None:
        sys.exit("storescu not found: apt-get install dcmtk")
    os.environ["TCP_NODELAY"] = "1"
    with tempfile.TemporaryDirectory() as name, running_suite(Path(name) / "data") as suite:
        for senders in arguments.senders:
            with watched_steps() as spent, _receiver(suite) as receiver:
                first, films = (
                    write_films(radiograph(), Path(name) / f"{senders}-{count}", count, senders)
                    for count in (WARM_UP, arguments.instances)
                )
                timed(_storescu, receiver, first)
                spent.wall.clear()
                spent.processor.clear()
                before = _processor_s()
                took = timed(_storescu, receiver, films)
                processor = _processor_s() - before
            Console().print(_table(spent, arguments.instances, senders, took, processor))


@contextmanager
def _receiver(suite: RunningSuite) -> Iterator[Receiver]:
    secrets, data = suite.data.secrets, suite.data.root
    common = CommonSettings(
        auth_jwks_file=suite.data.issuer.jwks_file,
        service_token_file=suite.data.service_token,
        pseudonym_key_file=secrets / "pseudonym.key",
        key_encryption_key_file=secrets / "key-encryption.key",
        keys_database_url=f"sqlite:///{data / 'keys' / 'keys.db'}",
        blob_url=f"file://{data / 'blobs'}",
        audit_url=suite.address,
    )
    database = f"sqlite:///{suite.data.databases / 'imaging.db'}"
    settings = Settings(database_url=database, dimse_port=free_port(), decoders_started_ahead=False)
    runtime = build_runtime("imaging", common, database, OutboxRow)
    decoders = open_decoders(settings)
    server = DimseServer(runtime, settings, decoders)
    server.start()
    try:
        yield Receiver("Consilium", server.port, settings.ae_title, "", "", os.getpid())
    finally:
        server.stop()
        decoders.close()
        runtime.audit.close()
        runtime.keys.close()
        runtime.sessions.kw["bind"].dispose()


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _table(spent: Spent, instances: int, senders: int, took: float, processor: float) -> Table:
    title = f"{senders} at a time, n = {instances}, {instances / took:.0f} instances/s: ms each"
    table = Table("step", "clock", "processor", title=title)
    for step in dict.fromkeys(step for _, _, step in STEPS):
        table.add_row(step, *(f"{of[step] / instances * 1e3:.2f}" for of in (spent.wall, spent.processor)))
    rest = processor - sum(spent.processor.values())
    table.add_row(
        "storing, all of it", *(f"{sum(of.values()) / instances * 1e3:.2f}" for of in (spent.wall, spent.processor))
    )
    table.add_row("pynetdicom and the rest of the process", "", f"{rest / instances * 1e3:.2f}")
    return table


if __name__ == "__main__":
    main()
