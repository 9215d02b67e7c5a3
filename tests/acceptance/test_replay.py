"""A past diagnosis comes out again, from its digests, in another process than the one that made it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.diagnosis.ward.patient import WardPatient
from shared.auth import Role
from tests.support.cases import Case, admit, entries_about
from tests.support.suite import RunningSuite, until

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]


def test_a_diagnosis_is_the_same_in_a_new_worker(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    admit(suite, case)
    job = suite.diagnose(case.patient)["id"]
    suite.kill("worker")
    again = suite.diagnose(case.patient)["id"]  # answered by a new worker, which has encoded the same evidence
    for diagnosis in (job, again):
        answer = suite.client(Role.AUDITOR).post(f"/diagnoses/{diagnosis}/replay")
        assert answer.status_code == 200, answer.text
        assert answer.json()["verdict"] == "bitwise", answer.json()

    def told() -> list[str]:
        events = [entry["leaf"]["event"] for entry in entries_about(suite, job)]
        return [event["actor"]["role"] for event in events if event["subtype"] == "diagnosis-replayed"]

    assert until(told, 20, "the replay to be logged") == ["auditor"]
