"""A result learns that what it rests on has changed, and a newer one takes its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.diagnosis.ward.patient import WardPatient
from tests.support.cases import Case, admit, entries_about
from tests.support.suite import RunningSuite, until

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]


@pytest.fixture
def case(suite: RunningSuite, ward: NextPatient) -> Case:
    """An admitted patient with everything."""
    case = Case.of(ward())
    admit(suite, case)
    return case


def _outdated(suite: RunningSuite, job: str) -> Any:
    def marked() -> Any:
        return suite.clinician.get(f"/diagnoses/{job}").json()["outdated"]

    return until(marked, 60, "the diagnosis to be marked")


def _told(outdated: Any) -> list[tuple[str, str]]:
    return [(change["modality"], change["happening"]) for change in outdated["changes"]]


def test_a_late_sample_marks_the_result_until_it_is_asked_again(suite: RunningSuite, case: Case) -> None:
    first = suite.diagnose(case.patient)
    assert first["outdated"] is None
    late = datetime.fromisoformat(first["case"]["asOf"]) - timedelta(hours=1)
    sample = {"patient": case.patient, "code": "8867-4", "value": 141, "unit": "/min", "effective": late.isoformat()}
    headers = {"Content-Type": "application/x-ndjson"}
    sent = suite.ehr.post("/vitals/samples", content=json.dumps(sample), headers=headers)
    assert sent.json()["accepted"] == 1, sent.text
    assert _told(_outdated(suite, first["id"])) == [("vitals", "arrived-late")]
    again = suite.diagnose(case.patient, asOf=first["case"]["asOf"])
    assert again["case"]["digest"] != first["case"]["digest"]
    assert again["outdated"] is None
    assert _outdated(suite, first["id"])["supersededBy"] == again["id"]


def test_a_replaced_note_marks_the_result_that_read_it(suite: RunningSuite, case: Case) -> None:
    first = suite.diagnose(case.patient)
    (read,) = first["modalities"]["note"]["evidence"]
    note = suite.clinician.get(f"/notes/{read}").json()
    now = datetime.now().astimezone().isoformat()
    body = {**{name: note[name] for name in ("patient", "type")}, "authored": now, "replaces": read}
    sent = suite.ehr.post("/notes", json={**body, "text": note["text"] + " Corrected."})
    assert sent.status_code == 201, sent.text
    outdated = _outdated(suite, first["id"])
    assert _told(outdated) == [("note", "replaced")]
    assert outdated["changes"][0]["evidence"] == read
    card = suite.ehr.get(f"/fhir/DiagnosticReport/{first['id']}").json()
    assert card["conclusion"].startswith("The evidence has changed since this was computed.")
    entries = until(lambda: _marks_in_the_log(suite, first["id"]), 30, "the entry in the log")
    assert len(entries) == 1


def _marks_in_the_log(suite: RunningSuite, job: str) -> list[Any]:
    entries = entries_about(suite, job)
    return [entry for entry in entries if entry["leaf"]["event"]["subtype"] == "diagnosis-outdated"]
