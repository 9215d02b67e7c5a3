"""The routes of the joint space against a real worker: similarities by name, consent, and what stays out of sight."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from shared.auth import Role
from shared.contracts.audit import AuditEvent
from shared.contracts.base import Modality
from shared.database import create_engine
from tests.support.diagnosis_house import House, eventually, hours_ago, open_house

PHRASE = "is there a line or tube?"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("joint"), question_timeout_s=8.0) as house:
        house.start_worker()
        yield house


@pytest.fixture(scope="module")
def finished(busy: House) -> str:
    """The id of a finished diagnosis with an image and a note."""
    return admit(busy, "p-done")


def admit(house: House, patient: str, *, image: bool = True) -> str:
    if image:
        house.ward.add_image(patient, hours_ago(5), grey=0.5)
    house.ward.add_note(patient, hours_ago(4))
    job = house.ask(patient).json()["id"]
    house.finished(job)
    return str(job)


def query(house: House, job: str, text: str = PHRASE, role: Role = Role.CLINICIAN) -> Any:
    return house.http.post(f"/diagnoses/{job}/query", json={"text": text}, headers=house.headers(role))


def search(house: House, role: Role = Role.CLINICIAN, **body: Any) -> Any:
    return house.http.post("/search", json=body, headers=house.headers(role))


def questions_kept(house: House) -> int:
    engine = create_engine(house.settings.database_url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM question")).scalar_one())
    finally:
        engine.dispose()


def test_a_phrase_is_answered_with_a_similarity_named_as_such(busy: House, finished: str) -> None:
    answered = query(busy, finished)
    assert answered.status_code == 200, answered.text
    body = answered.json()
    assert body["measure"] == "similarity"
    assert "not a probability" in body["statement"]
    [film] = body["images"]
    assert film["similarity"] == pytest.approx(len(PHRASE) / 100)
    assert film["regions"] == [{"x": 0, "y": 0, "width": 10, "height": 20, "similarity": 0.3}]
    assert film["grid"] == [[0.1, 0.2]]
    assert film["heatmap"].startswith("data:image/png;base64,")
    assert not [name for name in film if "probab" in name.lower()]


def test_similar_cases_come_most_similar_first(busy: House, finished: str) -> None:
    answered = busy.http.get(f"/diagnoses/{finished}/similar?k=2", headers=busy.headers())
    assert answered.status_code == 200, answered.text
    items = answered.json()["items"]
    assert [item["case"] for item in items] == ["ward:0:1", "ward:0:2"]
    # The film is grey 0.5, so the case stands 0.5 rad from the first reference.
    assert items[0]["similarity"] == pytest.approx(math.cos(0.5), abs=1e-3)
    assert items[0]["diagnosis"]["display"] == "Pneumonia"


def test_a_phrase_finds_reference_cases(busy: House) -> None:
    answered = search(busy, text="effusion", target="image", k=1)
    assert answered.status_code == 200, answered.text
    [item] = answered.json()["items"]
    assert (item["case"], item["similarity"]) == ("ward:0:1", pytest.approx(math.cos(0.08), abs=1e-3))


def test_a_case_finds_reference_cases_of_one_modality(busy: House, finished: str) -> None:
    answered = search(busy, diagnosis=finished, target="image", k=1)
    assert [item["case"] for item in answered.json()["items"]] == ["ward:0:1"]


@pytest.mark.parametrize("body", [{}, {"text": "x", "target": "image"}, {"text": "effusion", "diagnosis": "0" * 36}])
def test_a_search_wants_a_phrase_or_a_case(busy: House, body: dict[str, Any]) -> None:
    assert search(busy, **body).status_code == 422


def test_only_clinicians_ask_phrases(busy: House, finished: str) -> None:
    assert query(busy, finished, role=Role.EHR_SYSTEM).status_code == 403
    assert search(busy, role=Role.EHR_SYSTEM, text="effusion").status_code == 403
    similar = busy.http.get(f"/diagnoses/{finished}/similar", headers=busy.headers(Role.EHR_SYSTEM))
    assert similar.status_code == 200


def test_an_unknown_case_is_not_found(busy: House) -> None:
    assert query(busy, "00000000-0000-7000-8000-000000000000").status_code == 404


def test_a_case_without_an_image_says_so(busy: House) -> None:
    body = query(busy, admit(busy, "p-note-only", image=False)).json()
    assert (body["images"], body["reason"]) == ([], "the case has no image that may be used")


def test_withdrawn_consent_keeps_films_from_questions(busy: House) -> None:
    job = admit(busy, "p-withdrawn")
    busy.ward.withdraw("p-withdrawn", Modality.IMAGE)
    assert query(busy, job).json()["images"] == []
    busy.ward.withdraw("p-withdrawn", Modality.IMAGE, Modality.NOTE)
    refused = query(busy, job)
    assert (refused.status_code, refused.json()["detail"]) == (409, "No evidence of this case may be used.")


def test_every_question_of_a_case_is_an_event_without_its_words(busy: House) -> None:
    job = admit(busy, "p-event")
    query(busy, job, "has Mrs Smith a pacemaker?").raise_for_status()

    def of_this_case() -> list[AuditEvent]:
        return [e for e in busy.ward.log_of("films-queried") if e.object is not None and e.object.id == job]

    [event] = eventually(of_this_case, what="the event")
    assert "Smith" not in event.model_dump_json()


def test_an_answered_question_is_forgotten(busy: House, finished: str) -> None:
    query(busy, finished).raise_for_status()
    assert questions_kept(busy) == 0


def test_a_failure_tells_nothing_of_the_words(busy: House, finished: str) -> None:
    (busy.bundle / "no-reader").touch()
    try:
        answered = query(busy, finished, "has Mrs Smith a pacemaker?")
    finally:
        (busy.bundle / "no-reader").unlink()
    assert answered.status_code == 503
    assert "Smith" not in answered.text


def test_a_busy_worker_is_not_waited_for_forever(tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_house(tmp_path_factory.mktemp("held"), question_timeout_s=0.5) as house:
        worker = house.start_worker()
        house.hold()
        house.ward.add_note("p-held", hours_ago(4))
        house.ask("p-held")
        house.held(worker)
        answered = search(house, text="effusion")
        house.let_go()
        assert answered.status_code == 503
        assert answered.headers["content-type"] == "application/problem+json"
        assert questions_kept(house) == 0
