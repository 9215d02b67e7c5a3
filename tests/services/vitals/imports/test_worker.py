"""Imports survive: killed, taken over, given up. Nothing is lost and nothing is stored twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.vitals.app import create_app
from services.vitals.imports import formats, store, usecases
from services.vitals.imports.domain import State
from services.vitals.imports.store import LeaseLost
from services.vitals.imports.usecases import MAX_ATTEMPTS, Work
from services.vitals.settings import Settings
from tests.services.vitals.conftest import NOW, SAMPLE, Start, make_sample, runtime_of, stored
from tests.services.vitals.imports.importing import counts, outcome_of, send_file
from tests.services.vitals.imports.test_imports import minutes
from tests.support.common import PROJECT_ROOT, TestBed


def seconds(count: int) -> bytes:
    """So many samples, one in ten of them impossible."""
    begin = datetime(2026, 3, 10, tzinfo=UTC)
    lines = (
        make_sample(effective=(begin + timedelta(seconds=n)).isoformat(), value=-1 if n % 10 == 7 else 60 + n % 60)
        for n in range(count)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


Park = Callable[..., tuple[TestClient, Work]]


@pytest.fixture
def parked(bed: TestBed) -> Iterator[Park]:
    """Makes services whose own thread does not run, and what working on their imports needs."""
    apps: list[FastAPI] = []

    def _park(url: str, **settings: Any) -> tuple[TestClient, Work]:
        chosen = Settings(database_url=url, **settings)
        apps.append(create_app(chosen, bed.common, clock=lambda: NOW))
        client = TestClient(apps[-1], headers=bed.headers())
        return client, Work(runtime_of(client), chosen, lambda: False)

    yield _park
    for app in apps:
        app.state.runtime.audit.close()
        app.state.runtime.sessions.kw["bind"].dispose()


def rows_of(client: TestClient) -> list[tuple[Any, ...]]:
    """All samples, without the batch that brought them."""
    columns = "patient, effective, code, device, value, sent_code, sent_value, sent_unit"
    with runtime_of(client).sessions() as session:
        return [tuple(row) for row in session.execute(sa.text(f"SELECT {columns} FROM sample ORDER BY effective"))]


SERVE = """
import sys, time
from services.vitals.app import create_app
from services.vitals.imports import usecases
from services.vitals.imports.worker import ImportWorker
from services.vitals.settings import Settings
from shared.settings import CommonSettings

app = create_app(Settings(import_batch=50, import_lease_s=0.5), CommonSettings())
store_chunk = usecases._store_chunk

def slowly(*arguments):
    counts = store_chunk(*arguments)
    print(counts.read, flush=True)
    time.sleep(0.05)
    return counts

usecases._store_chunk = slowly
with ImportWorker(app.state.runtime, app.state.settings):
    time.sleep(60)
"""


def test_an_import_killed_at_any_time_goes_on_and_stores_nothing_twice(
    bed: TestBed, parked: Park, any_database: str, start: Start
) -> None:
    client, _ = parked(any_database)
    location = send_file(client, seconds(2000)).headers["location"]
    environment = {
        **os.environ,
        "CONSILIUM_CONSENT_AT_INGEST": "false",
        "PYTHONPATH": str(PROJECT_ROOT),
        "CONSILIUM_VITALS_DATABASE_URL": any_database,
        "CONSILIUM_AUTH_JWKS_FILE": str(bed.common.auth_jwks_file),
        "CONSILIUM_PSEUDONYM_KEY_FILE": str(bed.common.pseudonym_key_file),
        "CONSILIUM_KEY_ENCRYPTION_KEY_FILE": str(bed.common.key_encryption_key_file),
        "CONSILIUM_KEYS_DATABASE_URL": bed.common.keys_database_url,
        "CONSILIUM_SERVICE_TOKEN_FILE": str(bed.common.service_token_file),
        "CONSILIUM_BLOB_URL": bed.common.blob_url,
    }
    reached = 0
    for _ in range(3):
        told = _killed_after(5, environment)
        assert told[0] > reached, "it began again from the start"
        reached = told[-1]
        time.sleep(0.6)
    assert 0 < client.get(location).json()["counts"]["read"] < 2000
    done = outcome_of(start(any_database), location)
    assert (done["state"], done["counts"]) == ("succeeded", counts(2000, accepted=1800, rejected=200))
    killed = rows_of(client)
    assert len(killed) == 1800
    assert len({row[1] for row in killed}) == 1800
    with runtime_of(client).sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM import_reject")) == 200


def _killed_after(batches: int, environment: dict[str, str]) -> list[int]:
    """Records read after each batch of a service that is killed behind the last of them."""
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            return [int(line) for line in islice(process.stdout, batches)]
        finally:
            process.send_signal(signal.SIGKILL)


def test_one_import_is_one_worker_s(parked: Park, any_database: str) -> None:
    client, work = parked(any_database)
    send_file(client, minutes(5))
    assert usecases.claim_next(work) is not None
    assert usecases.claim_next(work) is None


def test_of_two_workers_who_saw_an_import_waiting_one_gets_it(parked: Park, any_database: str) -> None:
    client, work = parked(any_database)
    send_file(client, minutes(5))
    sessions, claims = work.runtime.sessions, []
    with sessions() as session:
        waiting = store.next_waiting(session, "default", work.clock())
    assert waiting is not None
    for _ in range(2):
        with sessions.begin() as session:
            claims.append(store.claim(session, waiting.id, waiting.fence, work.lease()))
    assert [claim is not None for claim in claims] == [True, False]


def test_imports_are_taken_in_the_order_they_came(parked: Park, any_database: str) -> None:
    client, work = parked(any_database)
    ids = [send_file(client, minutes(n)).json()["id"] for n in (1, 2, 3)]
    claims = [usecases.claim_next(work) for _ in ids]
    assert [claim.job.id for claim in claims if claim] == ids


def test_a_silent_worker_is_relieved_and_can_store_nothing_more(parked: Park, any_database: str) -> None:
    client, work = parked(any_database)
    location = send_file(client, minutes(5)).headers["location"]
    silent = usecases.claim_next(work)
    late = Work(work.runtime, work.settings, lambda: False, lambda: datetime.now(UTC) + timedelta(seconds=20))
    relief = usecases.claim_next(late)
    assert silent is not None
    assert relief is not None
    with pytest.raises(LeaseLost):
        usecases.run(work, silent)
    assert stored(client) == []
    usecases.run(late, relief)
    assert outcome_of(client, location)["counts"] == counts(5, accepted=5)


def test_a_service_that_stops_keeps_what_it_did_and_gives_the_rest_back(parked: Park, any_database: str) -> None:
    client, work = parked(any_database, import_batch=10)
    location = send_file(client, minutes(25)).headers["location"]
    stopping = Work(work.runtime, work.settings, lambda: True)
    for expected in (10, 20):
        held = usecases.claim_next(stopping)
        assert held is not None
        usecases.run(stopping, held)
        assert client.get(location).json()["counts"]["read"] == expected
    held = usecases.claim_next(work)
    assert held is not None
    usecases.run(work, held)
    assert outcome_of(client, location)["counts"] == counts(25, accepted=25)


def test_a_service_that_stops_while_it_looks_for_its_place_gives_the_import_back(
    parked: Park, any_database: str
) -> None:
    client, work = parked(any_database, import_batch=10)
    location = send_file(client, minutes(45)).headers["location"]
    told = iter([False, False, True])
    # Stops after three batches; then while it passes over them; then not at all.
    for stopping, expected in [(lambda: next(told), 30), (lambda: True, 30), (lambda: False, 45)]:
        chosen = Work(work.runtime, work.settings, stopping)
        held = usecases.claim_next(chosen)
        assert held is not None
        usecases.run(chosen, held)
        assert client.get(location).json()["counts"]["read"] == expected
    assert outcome_of(client, location)["counts"] == counts(45, accepted=45)


def test_an_import_begins_anew_when_readers_have_changed(
    parked: Park, any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, work = parked(any_database, import_batch=10)
    location = send_file(client, seconds(35)).headers["location"]
    held = usecases.claim_next(work)
    assert held is not None
    usecases.run(Work(work.runtime, work.settings, lambda: True), held)
    assert client.get(location).json()["counts"] == counts(10, accepted=9, rejected=1)
    monkeypatch.setattr(formats, "VERSION", formats.VERSION + 1)
    held = usecases.claim_next(work)
    assert held is not None
    usecases.run(work, held)
    assert outcome_of(client, location)["counts"] == counts(35, accepted=23, duplicates=9, rejected=3)
    assert len(client.get(f"{location}/rejects").json()["items"]) == 3
    assert len(rows_of(client)) == 32


def test_workers_of_one_database_share_its_imports(parked: Park, any_database: str, start: Start) -> None:
    client, _ = parked(any_database)
    locations = [send_file(client, minutes(300, value=60 + n)).headers["location"] for n in range(6)]
    first, second = start(any_database, import_batch=20), start(any_database, import_batch=20)
    for location in locations:
        assert outcome_of(second, location)["counts"] == counts(300, accepted=300)
    assert len(rows_of(first)) == 1800


def test_a_file_over_which_workers_die_is_given_up_and_may_be_sent_again(parked: Park, any_database: str) -> None:
    client, work = parked(any_database)
    location = send_file(client, minutes(5)).headers["location"]
    for n in range(MAX_ATTEMPTS):
        later = Work(work.runtime, work.settings, lambda: False, _clock(n))
        assert usecases.claim_next(later) is not None
    assert usecases.claim_next(Work(work.runtime, work.settings, lambda: False, _clock(MAX_ATTEMPTS))) is None
    failed = outcome_of(client, location)
    assert failed["state"] == State.FAILED
    assert "Send it again" in failed["error"]
    again = send_file(client, minutes(5))
    assert (again.status_code, again.json()["state"]) == (200, "queued")
    held = usecases.claim_next(work)
    assert held is not None
    usecases.run(work, held)
    assert outcome_of(client, location)["counts"] == counts(5, accepted=5)


def _clock(attempt: int) -> Any:
    return lambda: datetime.now(UTC) + timedelta(minutes=attempt)


def test_an_unexpected_error_is_logged_without_its_words_and_tried_again(
    start: Start, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts, store_chunk = [], usecases._store_chunk

    def broken(*arguments: Any) -> Any:
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError("SECRET value 71")
        return store_chunk(*arguments)

    monkeypatch.setattr(usecases, "_store_chunk", broken)
    client = start(database, import_lease_s=0.1)
    location = send_file(client, json.dumps(SAMPLE).encode()).headers["location"]
    assert outcome_of(client, location)["state"] == "succeeded"
    told = capsys.readouterr().out
    assert "import stopped" in told
    assert "SECRET" not in told
