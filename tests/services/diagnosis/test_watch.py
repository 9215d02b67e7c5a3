"""Evidence that comes late or is taken back marks the diagnoses that were made without it."""

from __future__ import annotations

from typing import Any

import pytest

from services.diagnosis import store
from services.diagnosis.app import create_app
from shared.auditing import EventWriter
from shared.auth import Role
from shared.database import Sessions, create_engine, reading, session_factory
from tests.support.diagnosis_house import House, eventually, hours_ago
from tests.support.servers import serve


@pytest.fixture
def finished(house: House) -> Any:
    """A diagnosis of a film, a note and vital signs, compared once after it was finished."""
    house.ward.add_image("p-1", hours_ago(5))
    house.ward.add_note("p-1", hours_ago(4))
    house.ward.add_heart_rate("p-1", hours_ago(3))
    house.start_worker()
    result = house.finished(house.ask().json()["id"])
    assert result["outdated"] is None
    _compared(house)
    return result


def _compared(house: House) -> None:
    """Returns when no finished diagnosis waits to be compared."""
    sessions = session_factory(create_engine(house.settings.database_url))
    eventually(lambda: not _waiting(sessions), what="the look after the finish")
    sessions.kw["bind"].dispose()


def _waiting(sessions: Sessions) -> bool:
    with reading(sessions) as session:
        return bool(store.unchecked(session, 1))


def _tell(house: House, *, late: bool = True) -> None:
    house.ward.tell_ingest(EventWriter.from_settings("vitals", house.bed.common), "p-1", late=late)


def _outdated(house: House, job: str) -> Any:
    return eventually(lambda: house.read(job)["outdated"], what="the mark")


def _entries(house: House) -> int:
    """How many entries the log has of it, once the first has arrived there."""
    return len(eventually(lambda: house.ward.log_of("diagnosis-outdated"), what="the entry in the log"))


def _told(outdated: Any) -> list[tuple[str, str]]:
    return [(change["modality"], change["happening"]) for change in outdated["changes"]]


def test_a_late_sample_marks_the_diagnosis_that_lacks_it(house: House, finished: Any) -> None:
    house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
    _tell(house)
    outdated = _outdated(house, finished["id"])
    assert _told(outdated) == [("vitals", "arrived-late")]
    assert outdated["changes"][0]["text"] == "Vital signs of that time came only afterwards."


@pytest.mark.parametrize(("status", "happening"), [("superseded", "replaced"), ("cancelled", "cancelled")])
def test_a_note_that_no_longer_stands_marks_the_diagnosis_that_read_it(
    house: House, finished: Any, status: str, happening: str
) -> None:
    house.ward.end_note(finished["modalities"]["note"]["evidence"][0], status)
    _tell(house)
    assert _told(_outdated(house, finished["id"])) == [("note", happening)]


def test_what_came_while_it_was_being_made_is_found_when_it_is_finished(house: House) -> None:
    house.ward.add_note("p-1", hours_ago(4))
    house.hold()
    worker = house.start_worker()
    job = house.ask().json()["id"]
    house.held(worker)
    house.ward.add_image("p-1", hours_ago(5))  # and the log says nothing of it
    house.let_go()
    house.finished(job)
    assert _told(_outdated(house, job)) == [("image", "arrived-late")]


def test_the_log_is_told_once_of_each_change(house: House, finished: Any) -> None:
    house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
    _tell(house)
    _outdated(house, finished["id"])
    house.ward.add_heart_rate("p-1", hours_ago(7), 141.0)
    _tell(house)
    house.ward.add_image("p-1", hours_ago(6))
    _tell(house)
    eventually(lambda: len(house.read(finished["id"])["outdated"]["changes"]) == 2, what="the second change")
    eventually(lambda: len(house.ward.log_of("diagnosis-outdated")) == 2, what="the second event")
    last = house.ward.log_of("diagnosis-outdated")[-1]
    assert last.object is not None
    assert (last.object.id, len(last.details["changes"])) == (finished["id"], 2)


def test_a_newer_diagnosis_of_the_same_time_supersedes_it(house: House, finished: Any) -> None:
    house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
    _tell(house)
    assert _outdated(house, finished["id"])["supersededBy"] is None
    again = house.finished(house.ask(asOf=finished["case"]["asOf"]).json()["id"])
    assert house.read(finished["id"])["outdated"]["supersededBy"] == again["id"]
    assert again["outdated"] is None


def test_prompt_evidence_of_later_leaves_it_as_it_is(house: House, finished: Any) -> None:
    house.ward.add_heart_rate("p-1", hours_ago(0.01))
    _tell(house, late=False)
    house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
    _tell(house)
    # The second is found, and the first came before it.
    assert _told(_outdated(house, finished["id"])) == [("vitals", "arrived-late")]
    assert _entries(house) == 1


def test_a_long_import_is_looked_at_once_for_each_patient(house: House, finished: Any) -> None:
    house.ward.down.add("audit")  # so that all of it is found by one look
    house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
    for _ in range(200):
        _tell(house)
    asked = len(house.ward.questions)
    house.ward.down.clear()
    assert _told(_outdated(house, finished["id"])) == [("vitals", "arrived-late")]
    assert len(house.ward.questions) - asked < 20


def test_while_a_neighbour_is_silent_nothing_is_lost(house: House, finished: Any) -> None:
    house.ward.down.add("vitals")
    house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
    _tell(house)
    asked = len(house.ward.questions)
    eventually(lambda: len(house.ward.questions) > asked, what="a vain question")
    assert house.read(finished["id"])["outdated"] is None
    house.ward.down.clear()
    assert _told(_outdated(house, finished["id"])) == [("vitals", "arrived-late")]


def test_of_two_processes_that_look_one_tells_the_log(house: House, finished: Any) -> None:
    with serve(create_app(house.settings, house.bed.common)):
        house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
        for _ in range(5):
            _tell_and_await_a_look(house)
        _outdated(house, finished["id"])
    assert _entries(house) == 1


def _tell_and_await_a_look(house: House) -> None:
    """Whichever process reads the log first asks for the evidence again; both may."""
    asked = len(house.ward.questions)
    _tell(house)
    eventually(lambda: len(house.ward.questions) >= asked + 3, what="a look")


def test_the_work_list_and_the_inside_door_say_so_too(house: House, finished: Any) -> None:
    house.ward.add_heart_rate("p-1", hours_ago(6), 140.0)
    _tell(house)
    _outdated(house, finished["id"])
    listed = house.http.get("/diagnoses", headers=house.headers()).json()["items"]
    inside = house.http.post(
        "/internal/diagnosis/results", json={"patient": "p-1"}, headers=house.headers(Role.SERVICE)
    ).json()["items"]
    assert [_told(item["outdated"]) for item in (*listed, *inside)] == [[("vitals", "arrived-late")]] * 2
