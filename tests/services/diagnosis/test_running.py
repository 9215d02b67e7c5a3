"""Faults: exactly one result and one log entry per job, whatever is killed, lost, repeated or withdrawn."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import Any

import pytest

from services.diagnosis.broker import CeleryBroker
from shared.contracts.base import Modality
from shared.database import create_engine, reading, session_factory
from tests.support.diagnosis_house import House, eventually, hours_ago


def _admit(house: House, patient: str = "p-1") -> None:
    house.ward.add_image(patient, hours_ago(5))
    house.ward.add_note(patient, hours_ago(4))
    house.ward.add_heart_rate(patient, hours_ago(3))


def _released(house: House, job: str) -> int:
    return sum(event.object is not None and event.object.id == job for event in house.ward.log_of("diagnosis-released"))


def _statuses(result: Any) -> dict[str, str]:
    return {kind: out["status"] for kind, out in result["modalities"].items()}


def test_the_job_of_a_worker_killed_in_mid_prediction_is_finished_by_another(house: House) -> None:
    _admit(house)
    house.hold()
    first = house.start_worker()
    job = house.ask().json()["id"]
    house.held(first)
    first.kill()
    house.let_go()
    house.start_worker()
    result = house.finished(job)
    assert (result["status"], _released(house, job)) == ("succeeded", 1)


def test_a_worker_that_wakes_up_after_its_lease_changes_nothing(house: House) -> None:
    _admit(house)
    house.hold()
    first = house.start_worker()
    job = house.ask().json()["id"]
    house.held(first)
    house.freeze(first)
    second = house.start_worker()
    house.held(second)
    first.send_signal(signal.SIGCONT)
    house.let_go()
    house.finished(job)
    # The first worker takes another job, so it has certainly ended its round with the lost one.
    house.finished(house.ask().json()["id"])
    eventually(lambda: _workers_idle(house), what="both workers' rest")
    assert _released(house, job) == 1


def _workers_idle(house: House) -> bool:
    import sqlalchemy as sa

    sessions = session_factory(create_engine(house.settings.database_url))
    with reading(sessions) as session:
        running = session.scalar(sa.text("SELECT count(*) FROM job WHERE status = 'running'"))
    sessions.kw["bind"].dispose()
    return bool(running == 0)


def test_jobs_queued_in_a_flushed_broker_are_all_finished(house: House) -> None:
    _admit(house)
    jobs = [house.ask().json()["id"] for _ in range(5)]
    broker = CeleryBroker(house.valkey.url)
    eventually(lambda: broker.depth("routine") >= 5, what="five messages")
    broker.close()
    house.valkey.flush()
    house.start_worker()
    assert {house.finished(job)["status"] for job in jobs} == {"succeeded"}


def test_a_job_asked_for_while_the_broker_is_dead_is_finished_when_it_is_back(house: House) -> None:
    _admit(house)
    house.start_worker()
    house.valkey.kill()
    asked = house.ask()
    house.valkey.start()
    assert asked.status_code == 202
    assert house.finished(asked.json()["id"], within_s=40)["status"] == "succeeded"


def test_a_job_delivered_twice_is_computed_once(house: House) -> None:
    _admit(house)
    job = house.ask().json()["id"]
    broker = CeleryBroker(house.valkey.url)
    for _ in range(3):
        broker.send(job, "routine")
    house.start_worker()
    house.start_worker()
    house.finished(job)
    eventually(lambda: broker.depth("routine") == 0, what="an empty queue")
    broker.close()
    assert (_released(house, job), house.ward.fetched.count("img-1")) == (1, 1)


def test_a_modality_whose_consent_was_withdrawn_while_queued_is_not_read(house: House) -> None:
    _admit(house)
    job = house.ask().json()["id"]
    house.ward.withdraw("p-1", Modality.IMAGE)
    house.start_worker()
    result = house.finished(job)
    assert _statuses(result) == {"image": "no-consent", "note": "used", "vitals": "used"}
    assert "img-1" not in house.ward.fetched


def test_the_manifest_follows_a_consent_withdrawn_while_queued(house: House) -> None:
    _admit(house)
    asked = house.ask().json()["id"]
    before = house.http.get(f"/diagnoses/{asked}/manifest", headers=house.headers()).json()
    house.ward.withdraw("p-1", Modality.IMAGE)
    house.start_worker()
    house.finished(asked)
    after = house.http.get(f"/diagnoses/{asked}/manifest", headers=house.headers()).json()
    assert [item["kind"] for item in before["evidence"]] == ["image", "note", "vitals"]
    assert ([item["kind"] for item in after["evidence"]], after["withheld"]) == (["note", "vitals"], ["image"])


def test_a_consent_withdrawn_during_the_prediction_keeps_the_modality_out_of_the_result(house: House) -> None:
    _admit(house)
    house.hold()
    worker = house.start_worker()
    job = house.ask().json()["id"]
    house.held(worker)
    house.ward.withdraw("p-1", Modality.NOTE)
    house.let_go()
    result = house.finished(job)
    assert (_statuses(result)["note"], _released(house, job)) == ("no-consent", 1)


@pytest.mark.parametrize("purpose", ["TREAT", "BTG"])
def test_a_result_whose_consent_is_withdrawn_after_its_log_entry_is_never_shown(house: House, purpose: str) -> None:
    _admit(house)
    house.ward.withdraw_at_append.append(("p-1", Modality.NOTE))
    house.start_worker()
    job = house.ask(purpose=purpose).json()["id"]
    result = house.finished(job)
    [withheld] = eventually(lambda: house.ward.log_of("diagnosis-withheld"), what="the entry")
    assert _statuses(result)["note"] == "no-consent"
    assert withheld.details["caseDigest"] != result["case"]["digest"]
    assert withheld.purpose_of_use == purpose


def test_a_result_is_not_shown_before_it_is_in_the_log(house: House) -> None:
    _admit(house)
    house.hold()
    worker = house.start_worker()
    job = house.ask().json()["id"]
    house.held(worker)
    house.ward.down.add("audit")
    house.let_go()
    eventually(lambda: house.read(job)["stage"] == "waiting", what="the deferral")
    assert house.read(job)["diagnoses"] is None
    house.ward.down.clear()
    assert (house.finished(job)["status"], _released(house, job)) == ("succeeded", 1)


def test_a_worker_killed_between_result_and_release_does_not_predict_again(house: House) -> None:
    _admit(house)
    house.ward.refuse_appends = True
    first = house.start_worker()
    job = house.ask().json()["id"]
    eventually(lambda: house.ward.appended > 0, what="an attempt to log")
    first.kill()
    house.ward.refuse_appends = False
    house.start_worker()
    house.finished(job)
    assert (_released(house, job), house.ward.fetched.count("note-1")) == (1, 1)


def test_a_job_waits_while_an_ingest_service_is_down(house: House) -> None:
    _admit(house)
    job = house.ask().json()["id"]
    house.ward.down.add("imaging")
    house.start_worker()
    waiting = eventually(lambda: house.read(job)["waiting"], what="the deferral")
    assert "imaging" in waiting["reason"]
    assert datetime.fromisoformat(waiting["againAt"]) > datetime.fromisoformat(house.read(job)["createdAt"])
    house.ward.down.clear()
    finished = house.finished(job)
    assert (finished["status"], finished["waiting"]) == ("succeeded", None)


def test_an_error_in_the_prediction_fails_the_job_without_its_words(house: House) -> None:
    _admit(house)
    (house.bundle / "fail").touch()
    house.start_worker()
    result = house.finished(house.ask().json()["id"])
    assert (result["status"], "4711" in result["error"], "ValueError" in result["error"]) == ("failed", False, True)


def test_a_failed_job_is_one_entry_in_the_log(house: House) -> None:
    _admit(house)
    (house.bundle / "fail").touch()
    house.start_worker()
    house.finished(house.ask(purpose="ETREAT").json()["id"])
    [event] = eventually(lambda: house.ward.log_of("diagnosis-failed"), what="the entry")
    assert (event.outcome, event.purpose_of_use) == ("failure", "ETREAT")


def test_evidence_that_changed_since_the_snapshot_fails_the_job(house: House) -> None:
    _admit(house)
    job = house.ask().json()["id"]
    ref, content = house.ward.notes["p-1"][0]
    house.ward.notes["p-1"][0] = (ref, content.model_copy(update={"digest": "sha256:" + "0" * 64}))
    house.start_worker()
    assert "not what the case froze" in house.finished(job)["error"]


def test_a_case_that_kills_every_worker_is_given_up(house: House) -> None:
    _admit(house)
    house.hold()
    job = house.ask().json()["id"]
    for _ in range(house.settings.max_attempts):
        worker = house.start_worker()
        house.held(worker)
        worker.kill()
    assert "5 workers stopped" in house.finished(job)["error"]


def test_stat_jobs_come_first(house: House) -> None:
    _admit(house)
    routine = [house.ask().json()["id"] for _ in range(4)]
    stat = house.ask(priority="stat").json()["id"]
    house.start_worker()
    for job in (*routine, stat):
        house.finished(job)
    order = [event.object.id for event in house.ward.log_of("diagnosis-released") if event.object]
    assert order[0] == stat
