"""How long an auditor waits for a page, beside a bare look-up by primary key in the same run.

    python -m tests.load.bench_audit_query --entries 10000000             SQLite
    python -m tests.load.bench_audit_query --only postgres --entries 1000000

Fills a database (`long_log`), starts the service on it as a process of its own and asks over a real socket: each term
with other values each time, first pages and pages deep in the log. An answer includes the commit and the signature of
the entry that tells of the question.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.orm import Session

from services.audit.api.cursors import encode_cursor
from services.audit.api.terms import EntryTerms
from services.audit.domain.entries import Page
from services.audit.keys import open_signer
from services.audit.store.entries import find_entries
from shared.clock import rfc3339
from shared.database import create_engine, migrate, session_factory
from shared.pseudonyms import Pseudonymiser
from tests.load import long_log
from tests.load.bench_audit import database, quantiles, service

Terms = dict[str, Any]
Ask = Callable[[random.Random], Terms]
PAGE = 100
console = Console()


def _window(chance: random.Random, length: timedelta) -> Terms:
    start = long_log.BEGIN + chance.random() * (long_log.SPAN - length)
    return {"from": rfc3339(start), "to": rfc3339(start + length)}


QUESTIONS: dict[str, Ask] = {
    "no term": lambda c: {},
    "patient": lambda c: {"subjectRef": long_log.subject_ref(c.randrange(long_log.PATIENTS))},
    "actor": lambda c: {"actor": f"person-{c.randrange(long_log.PEOPLE)}"},
    "type": lambda c: {"type": c.choice(("read", "ingest", "prediction", "feedback", "delivery"))},
    "subtype": lambda c: {"subtype": c.choice(("note-read", "note-refused", "dicom-deidentified"))},
    "producer": lambda c: {"producer": c.choice(("notes", "vitals", "ehr"))},
    "model": lambda c: {"model": c.choice(long_log.MODELS)},
    "purpose": lambda c: {"purpose": c.choice(("TREAT", "HRESCH"))},
    "outcome": lambda c: {"outcome": c.choice(("success", "refused", "failure"))},
    "nothing has it": lambda c: {"type": f"none-{c.random()}"},
    "an hour": lambda c: _window(c, timedelta(hours=1)),
    "a day": lambda c: _window(c, timedelta(days=1)),
    "a quarter": lambda c: _window(c, timedelta(days=90)),
    "patient, a year": lambda c: {
        "subjectRef": long_log.subject_ref(c.randrange(long_log.PATIENTS)), **_window(c, timedelta(days=365)),
    },
    "actor, a week": lambda c: {"actor": f"person-{c.randrange(long_log.PEOPLE)}", **_window(c, timedelta(days=7))},
    "refused, a week": lambda c: {"outcome": "refused", **_window(c, timedelta(days=7))},
    "failure, two years": lambda c: {"outcome": "failure", **_window(c, long_log.SPAN)},
    "purpose, outcome": lambda c: {"purpose": "HRESCH", "outcome": "refused"},
}  # fmt: skip
"""The last has no answer at all: of the shorter of two indexes every entry is looked at."""


def measure(client: httpx.Client, engine: sa.Engine, pseudonyms: Pseudonymiser, count: int) -> dict[str, Any]:
    """Milliseconds for each question, first pages and deep ones turn by turn."""
    checkpoint = client.get("/audit/entries", params={"limit": 1}).raise_for_status().json()["checkpoint"]
    found: dict[str, Any] = {"bare primary key": _bare(engine, checkpoint["size"], count)}
    with Progress(console=console) as progress:
        for name, ask in progress.track(QUESTIONS.items(), description="Asking"):
            chance = random.Random(name)
            first, deep = [], []
            for _ in range(count):
                terms = {**ask(chance), "limit": PAGE}
                first.append(_asked(client, terms))
                deep.append(_asked(client, {**terms, "cursor": _deep(pseudonyms, terms, checkpoint, chance)}))
            found[name] = {"first": quantiles(first), "deep": quantiles(deep)}
    return {"entries": checkpoint["size"], "n": count, "questions": found}


def measure_alone(engine: sa.Engine, size: int, count: int) -> dict[str, Any]:
    """Milliseconds of looking up a page within this process, by the clock and by its own CPU time (of SQLite all
    of it, of PostgreSQL the client's part)."""
    found = {}
    with Progress(console=console) as progress, Session(engine) as session:
        for name, ask in progress.track(QUESTIONS.items(), description="Looking up"):
            chance, clock, cpu = random.Random(name), [], []
            for _ in range(count):
                wanted = EntryTerms.model_validate(ask(chance)).to_domain()
                page = Page("newest", size, int(size * chance.uniform(0.1, 1)))
                started, used = time.perf_counter(), time.process_time()
                find_entries(session, wanted, page, PAGE + 1)
                clock.append(time.perf_counter() - started)
                cpu.append(time.process_time() - used)
            found[name] = {"clock": quantiles(clock), "cpu": quantiles(cpu)}
    return found


def _asked(client: httpx.Client, terms: Terms) -> float:
    started = time.perf_counter()
    client.get("/audit/entries", params=terms).raise_for_status()
    return time.perf_counter() - started


def _deep(pseudonyms: Pseudonymiser, terms: Terms, checkpoint: Any, chance: random.Random) -> str:
    """The cursor of a page somewhere in the middle, as the service gives it to whoever pages there."""
    wanted = EntryTerms.model_validate({name: value for name, value in terms.items() if name != "limit"}).to_domain()
    after = int(checkpoint["size"] * chance.uniform(0.1, 0.9))
    return encode_cursor(
        pseudonyms, wanted, Page("newest", checkpoint["size"], after), base64.b64decode(checkpoint["root"])
    )


def _bare(engine: sa.Engine, size: int, count: int) -> dict[str, float]:
    chance, query = random.Random(0), sa.text("SELECT entry FROM leaf WHERE idx = :idx")
    seconds = []
    with engine.connect() as connection:
        for _ in range(count):
            started = time.perf_counter()
            connection.execute(query, {"idx": chance.randrange(size)}).one()
            seconds.append(time.perf_counter() - started)
    return quantiles(seconds)


def prepare(url: str, directory: Path, entries: int) -> None:
    """A signed log of so many entries."""
    migrate(url, "audit")
    origin = "consilium.local/log"
    signer = open_signer(origin, directory / "log.key", directory / "log.pub", None, None)
    engine = create_engine(url)
    with Progress(console=console) as progress:
        task = progress.add_task("Filling the log", total=entries)
        long_log.fill(session_factory(engine), signer, entries, lambda done: progress.update(task, completed=done))
    engine.dispose()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure the auditor's questions.")
    parser.add_argument("--only", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--count", type=int, default=200, help="requests of each question")
    parser.add_argument("--dir", type=Path, help="where the database is put, and deleted [default: a temporary one]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.dir) as name, database(given.only, Path(name)) as url:
        directory, started = Path(name), time.monotonic()
        prepare(url, directory, given.entries)
        filled = round(time.monotonic() - started)
        with service(url, directory) as client:
            client.headers["Authorization"] = f"Bearer {(directory / 'auditor.token').read_text()}"
            engine, pseudonyms = create_engine(url), Pseudonymiser.from_file(directory / "pseudonym.key")
            report = {given.only: {"filledInS": filled, **measure(client, engine, pseudonyms, given.count)}}
            report[given.only]["alone"] = measure_alone(engine, given.entries, given.count)
            engine.dispose()
    console.print(_table(report[given.only]))
    print(json.dumps(report, indent=1))


def _table(report: dict[str, Any]) -> Table:
    kinds = ("first page", "deep page", "look-up", "its CPU")
    table = Table("question", *(f"{kind} {q}, ms" for kind in kinds for q in ("p50", "p99")))
    for name, found in report["questions"].items():
        alone = report["alone"].get(name, {})
        parts = (found.get("first", found), found.get("deep", {}), alone.get("clock", {}), alone.get("cpu", {}))
        table.add_row(name, *(str(one.get(q, "")) for one in parts for q in ("p50Ms", "p99Ms")))
    return table


if __name__ == "__main__":
    main()
