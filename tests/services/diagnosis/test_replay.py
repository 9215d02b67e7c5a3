"""`POST /diagnoses/{id}/replay`: a past diagnosis is computed again by a real worker, and compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.diagnosis.broker import CeleryBroker
from services.diagnosis.replaying import NightlyReplays
from services.diagnosis.rows import OutboxRow
from shared.auth import Role
from shared.contracts.base import Modality
from shared.database import create_engine
from shared.web import build_runtime
from tests.support.common import PROJECT_ROOT
from tests.support.diagnosis_house import House, eventually, hours_ago, open_house


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service with a worker; each test uses patients of its own."""
    with open_house(tmp_path_factory.mktemp("replay"), question_timeout_s=20.0) as house:
        house.start_worker()
        yield house


@pytest.fixture
def steady(busy: House) -> Iterator[House]:
    """The same, and after the test the model answers as before."""
    yield busy
    (busy.bundle / "drift").unlink(missing_ok=True)


def diagnosed(house: House, patient: str) -> str:
    house.ward.add_image(patient, hours_ago(5))
    house.ward.add_note(patient, hours_ago(4))
    house.ward.add_heart_rate(patient, hours_ago(3))
    job = str(house.ask(patient).json()["id"])
    house.finished(job)
    return job


def replayed(house: House, job: str, role: Role = Role.AUDITOR) -> Any:
    answer = house.http.post(f"/diagnoses/{job}/replay", headers=house.headers(role))
    assert answer.status_code == 200, answer.text
    return answer.json()


def edit(house: House, statement: str, **values: Any) -> None:
    """What an administrator of the database might do."""
    engine = create_engine(house.settings.database_url)
    with engine.execution_options(writing=True).begin() as connection:
        connection.execute(sa.text(statement), values)
    engine.dispose()


def test_a_diagnosis_comes_out_bit_by_bit(busy: House) -> None:
    job = diagnosed(busy, "p-same")
    said = replayed(busy, job)
    assert (said["verdict"], said["greatestDifference"], said["places"]) == ("bitwise", 0.0, [])
    assert said["caseDigest"] == busy.read(job)["case"]["digest"]


@pytest.mark.parametrize(("drift", "verdict"), [("1e-7", "within-epsilon"), ("0.1", "differs")])
def test_another_answer_is_told_by_how_much_it_differs(steady: House, drift: str, verdict: str) -> None:
    job = diagnosed(steady, f"p-{verdict}")
    (steady.bundle / "drift").write_text(drift)
    said = replayed(steady, job)
    assert said["verdict"] == verdict
    assert 0 < said["greatestDifference"] <= 3 * float(drift)


def test_erased_evidence_is_named_as_such(busy: House) -> None:
    job = diagnosed(busy, "p-erased")
    busy.ward.notes["p-erased"].clear()
    assert replayed(busy, job)["verdict"] == "inputs-erased"


def test_evidence_with_another_digest_is_named_as_such(busy: House) -> None:
    job = diagnosed(busy, "p-changed")
    ref, content = busy.ward.notes["p-changed"][0]
    busy.ward.notes["p-changed"][0] = (ref, content.model_copy(update={"digest": "sha256:" + "0" * 64}))
    assert replayed(busy, job)["verdict"] == "inputs-changed"


def test_evidence_without_consent_is_not_used_again(busy: House) -> None:
    job = diagnosed(busy, "p-withdrawn")
    busy.ward.withdraw("p-withdrawn", Modality.NOTE)
    fetched = len(busy.ward.fetched)
    assert replayed(busy, job)["verdict"] == "not-permitted"
    assert len(busy.ward.fetched) == fetched


def test_a_result_that_was_edited_is_not_the_logged_one(busy: House) -> None:
    job = diagnosed(busy, "p-edited")
    edit(busy, "UPDATE result SET body = replace(body, '0.', '0.9') WHERE job_id = :job", job=job)
    assert replayed(busy, job)["verdict"] == "record-altered"


def test_an_event_that_was_edited_with_it_is_not_the_log_s(busy: House) -> None:
    job = diagnosed(busy, "p-event")
    edit(
        busy,
        "UPDATE result SET event = replace(event, 'diagnosis-released', 'diagnosis-shown') WHERE job_id = :job",
        job=job,
    )
    assert replayed(busy, job)["verdict"] == "record-altered"


def test_a_result_that_points_to_another_entry_is_not_the_logged_one(busy: House) -> None:
    job = diagnosed(busy, "p-moved")
    edit(busy, "UPDATE result SET leaf_index = leaf_index + 1 WHERE job_id = :job", job=job)
    assert replayed(busy, job)["verdict"] == "record-altered"


def test_consent_is_asked_for_the_purpose_and_the_person_of_the_diagnosis(busy: House) -> None:
    busy.ward.add_note("p-glass", hours_ago(4))
    job = busy.ask("p-glass", purpose="BTG").json()["id"]
    busy.finished(job)
    released = busy.ward.consents_asked[-1]
    assert replayed(busy, job)["verdict"] == "bitwise"
    assert busy.ward.consents_asked[-1] == released
    assert (released.purpose, released.actor is not None) == ("BTG", True)


def test_a_model_that_nobody_has_is_named(busy: House) -> None:
    job = diagnosed(busy, "p-model")
    other = "sha256:" + "1" * 64
    edit(busy, "UPDATE result SET bundle_digest = :other WHERE job_id = :job", other=other, job=job)
    said = replayed(busy, job)
    assert (said["verdict"], said["bundleDigest"]) == ("other-model", other)
    assert said["replayedWith"] != other


def test_each_replay_is_an_entry_of_the_one_who_asked(busy: House) -> None:
    job = diagnosed(busy, "p-logged")
    replayed(busy, job, Role.ADMIN)
    events = busy.ward.log_of
    (event,) = eventually(
        lambda: [one for one in events("diagnosis-replayed") if one.object and one.object.id == job], what="the entry"
    )
    assert (event.actor.role, event.outcome, event.details["verdict"]) == (Role.ADMIN, "success", "bitwise")


@pytest.mark.parametrize("role", [Role.EHR_SYSTEM, Role.RESEARCHER])
def test_others_may_not_replay(busy: House, role: Role) -> None:
    answer = busy.http.post("/diagnoses/x/replay", headers=busy.headers(role))
    assert answer.status_code == 403


def test_an_unknown_diagnosis_is_404(busy: House) -> None:
    answer = busy.http.post("/diagnoses/nobody/replay", headers=busy.headers(Role.AUDITOR))
    assert answer.status_code == 404


def test_the_command_says_what_became_of_it(steady: House) -> None:
    job = diagnosed(steady, "p-command")
    good = command(steady, job)
    assert (good.returncode, good.stdout.split(":")[0]) == (0, "bitwise")
    (steady.bundle / "drift").write_text("0.1")
    bad = command(steady, job, "--json")
    assert (bad.returncode, json.loads(bad.stdout)["verdict"]) == (1, "differs")
    assert command(steady, "nobody").returncode == 2


def command(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    token = house.headers(Role.AUDITOR)["Authorization"].removeprefix("Bearer ")
    environment = {**os.environ, "CONSILIUM_URL": str(house.http.base_url), "CONSILIUM_TOKEN": token}
    words = [sys.executable, "-m", "services.cli", "replay", *arguments]
    return subprocess.run(words, env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)


def test_a_sample_is_replayed_once_a_night(tmp_path: Path) -> None:
    with open_house(tmp_path, question_timeout_s=20.0) as house:
        house.start_worker()
        jobs = {diagnosed(house, f"p-{number}") for number in range(3)}
        runtime = build_runtime("diagnosis", house.bed.common, house.settings.database_url, OutboxRow)
        broker = CeleryBroker(house.valkey.url)
        now = {"replay_nightly": 2, "replay_hour_utc": datetime.now(UTC).hour}
        first, second = (NightlyReplays(runtime, broker, house.settings.model_copy(update=now)) for _ in range(2))
        replayed_of_each = [first.look(), second.look(), first.look()]
        broker.close()
        events = house.ward.log_of
        logged = eventually(
            lambda: len(events("diagnosis-replayed")) == 2 and events("diagnosis-replayed"), what="both"
        )
    assert replayed_of_each == [2, 0, 0]
    assert {event.object.id for event in logged} < jobs
    assert {(event.actor.role, event.details["verdict"]) for event in logged} == {(Role.SERVICE, "bitwise")}


def test_at_other_hours_nothing_is_replayed(busy: House) -> None:
    runtime = build_runtime("diagnosis", busy.bed.common, busy.settings.database_url, OutboxRow)
    broker = CeleryBroker(busy.valkey.url)
    later = busy.settings.model_copy(update={"replay_hour_utc": (datetime.now(UTC).hour + 2) % 24})
    assert NightlyReplays(runtime, broker, later).look() == 0
    broker.close()
