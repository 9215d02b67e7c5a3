"""Killed workers, a flushed or killed broker, repeated requests: exactly one result and one log entry, always."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import redis

from services.diagnosis.ward.patient import WardPatient
from tests.support.cases import Case, admit, entries_about
from tests.support.suite import FINAL, RunningSuite, until

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]


@pytest.fixture(scope="module")
def case(suite: RunningSuite, ward: NextPatient) -> Case:
    case = Case.of(ward())
    admit(suite, case)
    return case


@pytest.fixture(autouse=True)
def _recovered(suite: RunningSuite) -> Iterator[None]:
    yield
    suite.wait_until_ready()


def _submit(suite: RunningSuite, case: Case, count: int) -> list[str]:
    posts = (suite.clinician.post("/diagnoses", json={"patient": case.patient}) for _ in range(count))
    return [answer.raise_for_status().json()["id"] for answer in posts]


def _broker(suite: RunningSuite) -> redis.Redis:
    configuration = (suite.data.root / "valkey" / "valkey.conf").read_text().splitlines()
    values = dict(line.split(" ", 1) for line in configuration)
    return redis.Redis(port=int(values["port"]), password=values["requirepass"])


def _assert_each_has_one_result_and_one_entry(suite: RunningSuite, ids: list[str]) -> None:
    for diagnosis_id in ids:
        assert suite.wait_for(diagnosis_id)["status"] in ("succeeded", "abstained")
        assert len(entries_about(suite, diagnosis_id)) == 1


def test_a_worker_killed_in_mid_job(suite: RunningSuite, case: Case) -> None:
    ids = _submit(suite, case, 4)

    def running() -> bool:
        stages = {suite.clinician.get(f"/diagnoses/{i}").json()["status"] for i in ids}
        return "running" in stages or stages <= FINAL

    until(running, 30, "a job to run")
    suite.kill("worker")
    _assert_each_has_one_result_and_one_entry(suite, ids)


def test_a_flushed_broker(suite: RunningSuite, case: Case) -> None:
    ids = _submit(suite, case, 4)
    _broker(suite).flushall()
    _assert_each_has_one_result_and_one_entry(suite, ids)


def test_a_killed_broker(suite: RunningSuite, case: Case) -> None:
    suite.kill("valkey")
    ids = _submit(suite, case, 2)
    _assert_each_has_one_result_and_one_entry(suite, ids)


def test_twenty_repeats_at_once_are_one_diagnosis(suite: RunningSuite, case: Case) -> None:
    def post(_: int) -> httpx.Response:
        key = {"Idempotency-Key": f"repeat-{case.patient}-{suite.topology}"}
        return suite.clinician.post("/diagnoses", json={"patient": case.patient}, headers=key)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(post, range(20)))
    assert Counter(a.status_code for a in answers) == {202: 20}
    (diagnosis_id,) = {a.json()["id"] for a in answers}
    _assert_each_has_one_result_and_one_entry(suite, [diagnosis_id])


def test_a_killed_web_process_loses_nothing(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    admit(suite, case)
    before = suite.diagnose(case.patient)
    for name in ("web", "notes", "audit", "diagnosis"):
        suite.kill(name)
    suite.wait_until_ready()
    after = suite.clinician.get(f"/diagnoses/{before['id']}").raise_for_status().json()
    assert after["diagnoses"] == before["diagnoses"]
    assert suite.diagnose(case.patient)["diagnoses"] == before["diagnoses"]


def test_a_taken_port_is_told_with_the_remedy(suite: RunningSuite, tmp_path: Path) -> None:
    port = suite.address.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "services.cli", "up", "--port", port, "--data-dir", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "--port" in answer.stdout
