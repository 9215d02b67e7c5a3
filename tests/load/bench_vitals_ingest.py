"""How fast samples go into PostgreSQL, beside COPY of the same rows into the same table with the same indexes.

`python -m tests.load.bench_vitals_ingest [--rows 100000] [--rounds 7]`. In each round, one after the other:

- COPY of rows that are formatted already, straight into a copy of the table (no duplicates allowed, nothing counted);
- the store, from checked samples to the commit; again with all of them known; with every second one known;
- the door, from the bytes of NDJSON to the commit; again with each line read by itself, as a block with a doubtful line
  is; from the bytes of an Arrow stream (where `pyarrow` is installed).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.suite.servers import postgres
from services.vitals import bulk, store
from services.vitals.blocks import BlockReader
from services.vitals.domain import Batch, Sample
from services.vitals.intake import ARROW, NDJSON, read_batch
from services.vitals.partitions import ensure_months
from shared.database import Sessions, create_engine, migrate, session_factory

T0 = datetime(2026, 3, 10, tzinfo=UTC)
NOW = T0 + timedelta(days=20)
SIGNS = (("8867-4", "/min"), ("9279-1", "/min"), ("59408-5", "%"), ("8480-6", "mm[Hg]"))
PATIENTS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="consilium-pg-") as directory:
        Path(directory).chmod(0o755)
        with postgres(Path(directory) / "cluster") as server:
            url = sa.engine.make_url(server).update_query_dict({"options": "-csearch_path=vitals"})
            text = url.render_as_string(hide_password=False)
            migrate(text, "vitals")
            _run(session_factory(create_engine(text)), options.rows, options.rounds)


def _run(sessions: Sessions, rows: int, rounds: int) -> None:
    with sessions.begin() as session:
        _make_twin(session.connection())
    seconds = defaultdict[str, list[float]](list)
    for number in range(rounds + 1):
        body = _body(f"R{number}", rows)
        doors = {name: form(_body(f"D{n}-{number}", rows)) for n, (name, form) in enumerate(DOORS.items())}
        batch = read_batch(io.BytesIO(body), NDJSON[0], NOW)
        lines = "".join(bulk._lines(_flat(batch), f"default\t{number}\n")).encode()
        took = {
            "raw COPY": _timed(lambda: _raw(sessions, lines)),  # noqa: B023
            "store": _timed(lambda: _store(sessions, batch, rows)),  # noqa: B023
            "all known": _timed(lambda: _store(sessions, batch, 0)),  # noqa: B023
            "half known": _half_known(sessions, f"H{number}", rows),
        }
        for name, (content, kind) in doors.items():
            patched = contextlib.nullcontext() if name != "door by lines" else _line_by_line()
            with patched:
                took[name] = _timed(lambda: _door(sessions, content, kind, rows))  # noqa: B023
        if number:  # the first one warms up
            for name, spent in took.items():
                seconds[name].append(spent)
    _report(seconds, rows)


def _make_twin(connection: sa.Connection) -> None:
    """A second table of samples, with the same key, the same partial index and the same partition."""
    ensure_months(connection, [T0.date()])
    twin = "CREATE TABLE twin (LIKE sample INCLUDING ALL) PARTITION BY RANGE (effective)"
    part = "CREATE TABLE twin_1 PARTITION OF twin FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z')"
    for statement in (twin, part):
        connection.execute(sa.text(statement))


def _body(prefix: str, rows: int) -> bytes:
    samples = []
    for n in range(rows):
        code, unit = SIGNS[n % len(SIGNS)]
        at = T0 + timedelta(seconds=n // len(SIGNS))
        sample = {"patient": f"{prefix}-{n * PATIENTS // rows}", "code": code, "value": 60 + n % 40, "unit": unit}
        samples.append(json.dumps({**sample, "effective": at.isoformat(), "device": "monitor"}))
    return "\n".join(samples).encode()


def _as_lines(body: bytes) -> tuple[bytes, str]:
    return body, NDJSON[0]


def _as_columns(body: bytes) -> tuple[bytes, str]:
    import pyarrow as pa

    rows = [json.loads(line) for line in body.split(b"\n")]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["value"] = pa.array(columns["value"], pa.float64())
    times = [datetime.fromisoformat(text) for text in columns["effective"]]
    columns["effective"] = pa.array(times, pa.timestamp("us", "UTC"))
    table, out = pa.table(columns), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue(), ARROW


DOORS: dict[str, Callable[[bytes], tuple[bytes, str]]] = {"door": _as_lines, "door by lines": _as_lines}
if importlib.util.find_spec("pyarrow"):
    DOORS["door, Arrow"] = _as_columns


@contextlib.contextmanager
def _line_by_line() -> Iterator[None]:
    together = BlockReader.read
    BlockReader.read = lambda *_: None  # type: ignore[method-assign]  # what a doubtful line brings about
    try:
        yield
    finally:
        BlockReader.read = together  # type: ignore[method-assign]


def _flat(batch: Batch) -> list[Sample]:
    return sorted((sample for samples in batch.samples.values() for sample in samples), key=bulk.KEY)


def _raw(sessions: Sessions, lines: bytes) -> None:
    with sessions.begin() as session:
        driver: Any = session.connection().connection.dbapi_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY twin ({bulk._COLUMNS}) FROM STDIN") as copy:
            for start in range(0, len(lines), 2**18):
                copy.write(lines[start : start + 2**18])


def _half_known(sessions: Sessions, prefix: str, rows: int) -> float:
    lines = _body(prefix, rows).split(b"\n")
    half = read_batch(io.BytesIO(b"\n".join(lines[::2])), NDJSON[0], NOW)
    whole = read_batch(io.BytesIO(b"\n".join(lines)), NDJSON[0], NOW)
    _store(sessions, half, len(lines[::2]))
    return _timed(lambda: _store(sessions, whole, rows - len(lines[::2])))


def _store(sessions: Sessions, batch: Batch, expected: int) -> None:
    with sessions.begin() as session:
        _add(session, batch, expected)


def _door(sessions: Sessions, body: bytes, kind: str, expected: int) -> None:
    batch = read_batch(io.BytesIO(body), kind, NOW)
    with sessions.begin() as session:
        _add(session, batch, expected)


def _add(session: Session, batch: Batch, expected: int) -> None:
    store.lock_patients(session, "default", batch.samples)
    added = store.add_samples(session, "default", 1, _flat(batch))
    if sum(added.values()) != expected:
        raise SystemExit(f"{sum(added.values())} stored, {expected} expected")


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _report(seconds: dict[str, list[float]], rows: int) -> None:
    for name, spent in seconds.items():
        rates = [rows / second for second in spent]
        ratios = [raw / second for raw, second in zip(seconds["raw COPY"], spent, strict=True)]
        of_raw = f"{statistics.median(ratios):.2f} of raw COPY (from {min(ratios):.2f} to {max(ratios):.2f})"
        rate = f"{statistics.median(rates):9,.0f} rows/s (from {min(rates):,.0f} to {max(rates):,.0f})"
        sys.stdout.write(f"{name:13} {rate}, {of_raw}, n = {len(spent)}\n")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
