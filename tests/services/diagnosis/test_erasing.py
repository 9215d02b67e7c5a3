"""What an erasure takes of the diagnoses: queued, running and finished ones, and what workers keep in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.diagnosis.pulse import Memory
from services.diagnosis.rows import JobRow, ResultRow, WorkerRow
from shared.auth import Role
from shared.database import create_engine, session_factory
from shared.ids import uuid7
from shared.pseudonyms import Pseudonymiser
from tests.support.diagnosis_house import House, eventually, hours_ago, open_house


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service with a worker; each test uses patients of its own."""
    with open_house(tmp_path_factory.mktemp("erasing"), question_timeout_s=20.0) as house:
        house.start_worker()
        yield house


def admit(house: House, patient: str, key: str | None = None) -> str:
    if patient not in house.ward.notes:
        house.ward.add_image(patient, hours_ago(5))
        house.ward.add_note(patient, hours_ago(4))
    return str(house.ask(patient, key).json()["id"])


def erase(house: House, patient: str) -> dict[str, int]:
    subject = Pseudonymiser.from_file(house.bed.common.pseudonym_key_file).patient("default", patient)
    order = {"id": uuid7(), "subjectRef": subject, "patient": patient}
    answer = house.http.post("/internal/diagnosis/erasures", json=order, headers=house.headers(Role.SERVICE))
    assert answer.status_code == 200, answer.text
    stores: dict[str, int] = answer.json()["stores"]
    return stores


def rows(house: House, query: Any) -> list[Any]:
    engine = create_engine(house.settings.database_url)
    with session_factory(engine)() as session:
        found = list(session.scalars(query))
    engine.dispose()
    return found


def test_of_a_finished_one_the_skeleton_stays(busy: House) -> None:
    job = admit(busy, "p-done")
    shown = busy.finished(job)
    assert erase(busy, "p-done") == {"job": 1, "result": 1, "blobs": 2}
    (row,) = rows(busy, sa.select(JobRow).where(JobRow.id == job))
    assert row.patient.startswith("pat-")
    assert (row.status, row.requester_role, row.manifest_digest) == ("succeeded", "clinician", shown["case"]["digest"])
    assert (row.request_digest, row.idempotency_key, row.as_of) == ("", None, row.created_at)
    (result,) = rows(busy, sa.select(ResultRow).where(ResultRow.job_id == job))
    assert (result.body, result.event, result.heatmaps) == ("", "", {})
    assert (result.bundle_digest, result.leaf_index) == (shown["model"]["digest"], shown["audit"]["index"])


def test_its_replay_says_so_and_is_logged_for_the_same_pseudonym(busy: House) -> None:
    job = admit(busy, "p-replay")
    busy.finished(job)
    erase(busy, "p-replay")
    answer = busy.http.post(f"/diagnoses/{job}/replay", headers=busy.headers(Role.AUDITOR))
    assert answer.json()["verdict"] == "inputs-erased"
    subject = Pseudonymiser.from_file(busy.bed.common.pseudonym_key_file).patient("default", "p-replay")

    def _told() -> bool:
        found = [
            e
            for e in busy.ward.events.values()
            if e.subtype == "diagnosis-replayed" and e.object and e.object.id == job
        ]
        return [event.subject_ref for event in found] == [subject]

    eventually(_told, what="the entry")


@pytest.mark.parametrize("path", ["", "/manifest", "/events", "/heatmaps/1.2"])
def test_nothing_of_it_is_shown(busy: House, path: str) -> None:
    patient = f"p-hidden-{len(path)}"
    job = admit(busy, patient)
    busy.finished(job)
    erase(busy, patient)
    answer = busy.http.get(f"/diagnoses/{job}{path}", headers=busy.headers())
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:consilium:problem:erased")


def test_a_job_in_a_worker_s_hands_is_ended_and_releases_nothing(busy: House) -> None:
    worker = busy.workers[0]
    busy.hold()
    job = admit(busy, "p-running")
    busy.held(worker)
    asked = threading.Thread(target=busy.let_go)
    threading.Timer(1.0, asked.start).start()
    assert erase(busy, "p-running")["job"] == 1
    asked.join(10)
    other = admit(busy, "p-after")
    busy.finished(other)
    (row,) = rows(busy, sa.select(JobRow).where(JobRow.id == job))
    assert (row.status, row.error is not None) == ("failed", True)
    assert rows(busy, sa.select(ResultRow).where(ResultRow.job_id == job)) == []


def test_the_same_request_afterwards_is_a_new_one(busy: House) -> None:
    first = admit(busy, "p-again", "key-1")
    busy.finished(first)
    erase(busy, "p-again")
    assert admit(busy, "p-again", "key-1") != first


def test_the_answer_waits_until_the_worker_has_forgotten(busy: House) -> None:
    erase(busy, "p-nobody")
    count = len(rows(busy, sa.text("SELECT id FROM erasure")))
    assert {row.forgotten for row in rows(busy, sa.select(WorkerRow))} == {count}


def test_memory_is_not_cleared_in_the_middle_of_a_case() -> None:
    forgot: list[int] = []
    memory = Memory(lambda: forgot.append(1))
    assert memory.forget_after(0) == 0
    with memory.in_use():
        assert memory.forget_after(1) == 0
        assert len(forgot) == 1
    assert memory.forget_after(1) == 1
    assert len(forgot) == 2


def test_the_database_of_the_service_holds_no_trace(busy: House) -> None:
    job = admit(busy, "p-CANARY")
    busy.finished(job)
    note = {"action": "comment", "text": "CANARY was right"}
    assert busy.http.post(f"/diagnoses/{job}/feedback", json=note, headers=busy.headers()).status_code == 201
    erase(busy, "p-CANARY")
    database = Path(busy.settings.database_url.removeprefix("sqlite:///"))
    files = [path for path in database.parent.glob(f"{database.name}*") if path.is_file()]
    assert not any(b"CANARY" in path.read_bytes() for path in files)
