"""How fast the audit log takes events, and how fast it is checked, beside raw inserts of the same rows.

    python -m tests.load.bench_audit                       SQLite and an embedded PostgreSQL
    python -m tests.load.bench_audit --only sqlite --events 5000 --rounds 9

Runs the service as a process of its own and sends over real sockets. Each round sends batches to the log and inserts as
many rows into a bare table of the same database, turn by turn, so that both meet the same machine; ratios are of one
round. Then single events from several callers, the same at half that load, and the checker on what was logged.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from scipy.stats import t

from services.audit.verify.export import verify_export
from services.audit.verify.log import verify_log
from services.audit.verify.notes import read_log_keys
from services.audit.verify.receipt import verify
from services.audit.verify.sources import open_source
from services.suite.servers import postgres
from shared.auth import DevIssuer, Role, write_secret
from shared.database import create_engine
from shared.ids import uuid7


def _event() -> dict[str, Any]:
    return {
        "eventId": uuid7(),
        "tenant": "default",
        "producer": "notes",
        "type": "read",
        "subtype": "note-read",
        "action": "R",
        "outcome": "success",
        "occurredAt": datetime.now(UTC).isoformat(),
        "actor": {"issuer": "bench", "subject": "bench", "role": "clinician", "jti": uuid7()},
        "subjectRef": "pat-" + secrets.token_hex(16),
        "object": {"kind": "note", "id": uuid7(), "digest": "hmac:" + secrets.token_hex(32)},
        "requestId": uuid7(),
    }


@contextmanager
def service(database_url: str, directory: Path) -> Iterator[httpx.Client]:
    """The service as its own process; gives a client with a service token."""
    issuer = DevIssuer(directory / "auth")
    issuer.create()
    token = issuer.mint(Role.SERVICE)
    write_secret(directory / "service.token", token)
    (directory / "auditor.token").write_text(issuer.mint(Role.AUDITOR))
    for name in ("pseudonym.key", "key-encryption.key"):
        write_secret(directory / name, secrets.token_hex(32))
    port = 18_000 + secrets.randbelow(1_000)
    environment = {
        **os.environ,
        "CONSILIUM_AUTH_JWKS_FILE": str(issuer.jwks_file),
        "CONSILIUM_SERVICE_TOKEN_FILE": str(directory / "service.token"),
        "CONSILIUM_PSEUDONYM_KEY_FILE": str(directory / "pseudonym.key"),
        "CONSILIUM_KEY_ENCRYPTION_KEY_FILE": str(directory / "key-encryption.key"),
        "CONSILIUM_KEYS_DATABASE_URL": f"sqlite:///{directory}/keys/keys.db",
        "CONSILIUM_BLOB_URL": f"file://{directory}/blobs",
        "CONSILIUM_AUDIT_DATABASE_URL": database_url,
        "CONSILIUM_AUDIT_SIGNING_KEY_FILE": str(directory / "log.key"),
        "CONSILIUM_AUDIT_PUBLIC_KEY_FILE": str(directory / "log.pub"),
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "services.audit.app:create_app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], env=environment)
    limits = httpx.Limits(max_connections=200)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, limits=limits) as client:
            _wait_until_up(client)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_up(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            client.get("/readyz").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError("the audit service did not start")


def _send(client: httpx.Client, count: int) -> float:
    """Send one batch; gives the seconds until its answer."""
    body = {"events": [_event() for _ in range(count)]}
    started = time.perf_counter()
    client.post("/internal/audit/events", json=body).raise_for_status()
    return time.perf_counter() - started


def measure_batches(client: httpx.Client, total: int, batch: int, callers: int) -> dict[str, float]:
    """Events a second when `callers` send batches one after another."""
    started = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        seconds = list(pool.map(lambda _: _send(client, batch), range(total // batch)))
    return {"eventsPerSecond": round(total / (time.perf_counter() - started)), **quantiles(seconds)}


def measure_paced(client: httpx.Client, per_second: float, seconds: float) -> dict[str, float]:
    """Time to the answer of single events sent at a steady rate, whether or not earlier ones were answered."""
    taken: list[float] = []
    lock = threading.Lock()

    def _one(due: float) -> None:
        time.sleep(max(0.0, due - time.perf_counter()))
        _send(client, 1)
        with lock:
            taken.append(time.perf_counter() - due)

    start = time.perf_counter() + 0.2
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(_one, [start + n / per_second for n in range(int(per_second * seconds))]))
    return {"eventsPerSecond": round(per_second), **quantiles(taken)}


def measure_raw_inserts(database_url: str, total: int, batch: int, table: str) -> float:
    """Rows a second that the same database takes without a log: the batch's rows and one commit."""
    engine = create_engine(database_url)
    kind = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE {table} (idx BIGINT PRIMARY KEY, event_id TEXT UNIQUE, body {kind})"))
    started = time.perf_counter()
    for first in range(0, total, batch):
        rows = [{"i": n, "e": uuid7(), "b": json.dumps(_event()).encode()} for n in range(first, first + batch)]
        with engine.begin() as connection:
            connection.execute(sa.text(f"INSERT INTO {table} VALUES (:i, :e, :b)"), rows)
    taken = time.perf_counter() - started
    engine.dispose()
    return round(total / taken)


def quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p99": 0.99}
    found = {
        f"{name}Ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e3, 1) for name, q in at.items()
    }
    return {**found, "meanMs": round(statistics.mean(seconds) * 1e3, 1)}


def measure_rounds(client: httpx.Client, database_url: str, rounds: int, events: int) -> dict[str, Any]:
    """Batches to the log and raw inserts, turn by turn."""
    log, raw = [], []
    for number in range(rounds):
        log.append(measure_batches(client, events, 250, 8)["eventsPerSecond"])
        raw.append(measure_raw_inserts(database_url, events, 250, f"raw_{number}"))
    ratios = [a / b for a, b in zip(log, raw, strict=True)]
    return {"eventsPerSecond": interval(log), "rawRowsPerSecond": interval(raw), "ratio": interval(ratios)}


def measure_checks(client: httpx.Client, place: str, directory: Path, rounds: int) -> dict[str, Any]:
    """Entries a second that the checker takes: the whole log (by the clock and by its own CPU time), an export."""
    keys = read_log_keys([str(directory / "log.pub")])
    clock, cpu, exported = [], [], []
    lines = (
        client.get("/audit/export", params={"lastIndex": 4_999}).raise_for_status().content.splitlines(keepends=True)
    )
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        with open_source(place) as source:
            report = verify_log(source, keys)
        assert report.good, report.faults
        clock.append(report.facts["entries"] / (time.perf_counter() - started))
        cpu.append(report.facts["entries"] / (time.process_time() - used))
        used = time.process_time()
        assert verify_export(lines, keys).good
        exported.append((len(lines) - 2) / (time.process_time() - used))
    return {
        "entries": report.facts["entries"], "entriesPerSecond": interval(clock), "entriesPerCpuSecond": interval(cpu),
        "exportEntriesPerCpuSecond": interval(exported),
    }  # fmt: skip


def measure_receipts(client: httpx.Client, directory: Path, count: int) -> dict[str, float]:
    """Time to check one receipt, keys read before."""
    keys = read_log_keys([str(directory / "log.pub")])
    receipts = [client.get(f"/audit/entries/{index}/receipt").raise_for_status().content for index in range(count)]
    seconds = []
    for receipt in receipts:
        started = time.process_time()
        verify(receipt, keys)
        seconds.append(time.process_time() - started)
    return quantiles(seconds)


def interval(values: list[float]) -> dict[str, float]:
    """Mean and half-width of its 95 % interval (Student's t), and how many values."""
    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return {"mean": _short(statistics.mean(values)), "plusMinus": _short(float(half)), "n": len(values)}


def _short(value: float) -> float:
    return round(value, 3) if value < 10 else round(value)


def run(database_url: str, directory: Path, events: int, rounds: int) -> dict[str, Any]:
    """All measurements on one database."""
    place = database_url.removeprefix("sqlite:///")
    with service(database_url, directory) as client:
        measure_batches(client, 2_000, 100, 4)
        batches = measure_rounds(client, database_url, rounds, events)
        singles = measure_batches(client, min(events, 4_000), 1, 32)
        half = measure_paced(client, singles["eventsPerSecond"] / 2, 8)
        client.headers["Authorization"] = f"Bearer {(directory / 'auditor.token').read_text()}"
        checks = measure_checks(client, place, directory, rounds)
        receipts = measure_receipts(client, directory, 300)
    return {
        "batches250": batches, "singles32Callers": singles, "singlesHalfLoad": half, "checker": checks,
        "receipt": receipts,
    }  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure the audit log.")
    parser.add_argument("--only", choices=["sqlite", "postgres"], help="one database instead of both")
    parser.add_argument("--events", type=int, default=10_000, help="events a round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    for kind in [given.only] if given.only else ["sqlite", "postgres"]:
        with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
            print(json.dumps({kind: run(url, Path(name), given.events, given.rounds)}, indent=1), flush=True)


@contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{directory}/audit.db"
        return
    # Run as root, the server is an unprivileged user's, who must be able to reach its directory.
    directory.chmod(0o755)
    with postgres(directory / "cluster") as url:
        parsed = sa.engine.make_url(url).update_query_dict({"options": "-csearch_path=audit"})
        yield parsed.render_as_string(hide_password=False)


if __name__ == "__main__":
    main()
