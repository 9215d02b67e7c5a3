"""`POST /diagnoses/stream`: the running risk of a patient, over a real socket and with a real worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared.auth import Role
from shared.contracts.base import Modality
from tests.support.diagnosis_house import House, eventually, hours_ago, open_house


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service with a worker; each test uses patients of its own."""
    with open_house(tmp_path_factory.mktemp("live")) as house:
        house.start_worker()
        yield house


@contextmanager
def stream(house: House, patient: str, every_s: float = 2.0) -> Iterator[Iterator[dict[str, Any]]]:
    """The data of the events, as they come."""
    question = {"patient": patient, "everyS": every_s}
    with house.http.stream("POST", "/diagnoses/stream", json=question, headers=house.headers()) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.read()
        yield (json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: "))


def admit(house: House, patient: str) -> None:
    house.ward.add_note(patient, hours_ago(4))
    house.ward.add_heart_rate(patient, hours_ago(3))


def diagnoses_of(house: House, patient: str) -> list[str]:
    answer = house.http.post("/diagnoses/search", json={"patient": patient}, headers=house.headers())
    return [one["id"] for one in answer.json()["items"]]


def test_the_first_figure_is_that_of_a_whole_diagnosis(busy: House) -> None:
    admit(busy, "p-first")
    with stream(busy, "p-first") as events:
        told = next(events)
    whole = busy.read(told["diagnosis"])
    assert (told["risks"], told["asOf"]) == (whole["risks"], whole["case"]["asOf"])
    assert told["modalities"]["image"] == "missing"
    assert told["modalities"]["vitals"] == "used"


def test_new_evidence_gives_a_new_figure_and_none_comes_without(busy: House) -> None:
    admit(busy, "p-new")
    with stream(busy, "p-new") as events:
        first = next(events)
        busy.ward.add_heart_rate("p-new", hours_ago(1))
        second = next(events)
    assert first["asOf"] < second["asOf"]
    assert sorted(diagnoses_of(busy, "p-new")) == sorted([first["diagnosis"], second["diagnosis"]])


def test_two_who_look_on_share_a_diagnosis(busy: House) -> None:
    admit(busy, "p-shared")
    with stream(busy, "p-shared") as one, stream(busy, "p-shared") as other:
        assert next(one)["diagnosis"] == next(other)["diagnosis"]
    assert len(diagnoses_of(busy, "p-shared")) == 1


def test_what_consent_no_longer_permits_is_left_out_of_the_next_figure(busy: House) -> None:
    admit(busy, "p-consent")
    with stream(busy, "p-consent") as events:
        next(events)
        busy.ward.withdraw("p-consent", Modality.NOTE)
        assert next(events)["modalities"]["note"] == "no-consent"


def test_each_figure_that_is_shown_is_a_read_in_the_log(busy: House) -> None:
    admit(busy, "p-log")
    with stream(busy, "p-log") as events:
        told = next(events)
    events_of = busy.ward.log_of
    shown = eventually(
        lambda: [one for one in events_of("diagnosis-read") if one.object and one.object.id == told["diagnosis"]],
        what="the event",
    )
    assert len(shown) == 1


def test_a_stranger_is_unknown_before_the_stream_begins(busy: House) -> None:
    answer = busy.http.post("/diagnoses/stream", json={"patient": "nobody"}, headers=busy.headers())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "patient")


@pytest.mark.parametrize(("every", "status"), [(1, 422), (3601, 422)])
def test_an_interval_out_of_bounds_is_refused(busy: House, every: float, status: int) -> None:
    answer = busy.http.post("/diagnoses/stream", json={"patient": "p", "everyS": every}, headers=busy.headers())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, "everyS")


def test_an_auditor_sees_no_risk(busy: House) -> None:
    answer = busy.http.post("/diagnoses/stream", json={"patient": "p"}, headers=busy.headers(Role.AUDITOR))
    assert answer.status_code == 403
