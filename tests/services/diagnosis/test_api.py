"""The public contract of `/diagnoses`: good requests, bad requests, reads and feedback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.auth import Role
from shared.contracts.base import Modality
from tests.support.diagnosis_house import NOW, House, eventually, hours_ago, open_house


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service with a worker, shared by the tests of this module; each test uses patients of its own."""
    with open_house(tmp_path_factory.mktemp("busy")) as house:
        house.start_worker()
        yield house


@pytest.fixture(scope="module")
def finished(busy: House) -> Any:
    """One finished diagnosis with all modalities."""
    admit(busy, "p-done")
    return busy.finished(busy.ask("p-done").json()["id"])


def admit(house: House, patient: str) -> None:
    house.ward.add_image(patient, hours_ago(5))
    house.ward.add_note(patient, hours_ago(4))
    house.ward.add_heart_rate(patient, hours_ago(3))


def fields(response: Any) -> list[str]:
    """The fields that a problem document names."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return [error["field"] for error in response.json()["errors"]]


# --- asking -------------------------------------------------------------------------------------------------------


def test_a_request_is_accepted_with_its_location(busy: House) -> None:
    admit(busy, "p-loc")
    asked = busy.ask("p-loc")
    assert (asked.status_code, asked.headers["location"]) == (202, f"/diagnoses/{asked.json()['id']}")


def test_the_case_time_is_that_of_the_newest_evidence(busy: House) -> None:
    admit(busy, "p-newest")
    result = busy.finished(busy.ask("p-newest").json()["id"])
    assert result["case"]["asOf"] == hours_ago(3).isoformat().replace("+00:00", "Z")


def test_evidence_after_as_of_is_not_used(busy: House) -> None:
    admit(busy, "p-past")
    result = busy.finished(busy.ask("p-past", asOf=hours_ago(4.5).isoformat()).json()["id"])
    assert {kind: out["status"] for kind, out in result["modalities"].items()} == {
        "image": "used",
        "note": "missing",
        "vitals": "missing",
    }


def test_the_vitals_window_ends_at_the_case_time(busy: House) -> None:
    busy.ward.add_heart_rate("p-window", hours_ago(80))
    busy.ward.add_heart_rate("p-window", hours_ago(60))
    busy.ward.add_note("p-window", hours_ago(1))
    result = busy.finished(busy.ask("p-window").json()["id"])
    [window] = result["modalities"]["vitals"]["evidence"]
    assert [sample.effective for sample in busy.ward.windows[window].samples] == [hours_ago(60)]


def test_only_the_modalities_asked_for_are_used(busy: House) -> None:
    admit(busy, "p-some")
    result = busy.finished(busy.ask("p-some", modalities=["note", "note"]).json()["id"])
    assert result["modalities"]["image"]["status"] == "missing"
    assert result["modalities"]["note"]["status"] == "used"


def test_an_old_radiograph_is_flagged_and_said_to_be_old(busy: House) -> None:
    image = busy.ward.add_image("p-stale", hours_ago(24 * 10))
    busy.ward.add_note("p-stale", hours_ago(0))
    result = busy.finished(busy.ask("p-stale").json()["id"])
    assert result["modalities"]["image"]["quality"] | {"term": 0} == {"ageHours": 240.0, "stale": True, "term": 0}
    assert {"text": "The radiograph is 10 days older than the case time.", "evidence": [image]} in result[
        "explanation"
    ]["summary"]


def test_a_denied_modality_is_not_read_and_the_result_says_so(busy: House) -> None:
    admit(busy, "p-denied")
    busy.ward.withdraw("p-denied", Modality.VITALS)
    result = busy.finished(busy.ask("p-denied").json()["id"])
    assert result["modalities"]["vitals"]["status"] == "no-consent"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "patient"),
        ({"patient": ""}, "patient"),
        ({"patient": "x" * 65}, "patient"),
        ({"patient": "a\u0000b"}, "patient"),
        ({"patient": "  "}, "patient"),
        ({"patient": "p-1", "asOf": "yesterday"}, "asOf"),
        ({"patient": "p-1", "asOf": "2026-01-01T00:00:00"}, "asOf"),
        ({"patient": "p-1", "asOf": "1970-01-01T00:00:00Z"}, "asOf"),
        ({"patient": "p-1", "asOf": (NOW + timedelta(hours=3)).isoformat()}, "asOf"),
        ({"patient": "p-1", "priority": "urgent"}, "priority"),
        ({"patient": "p-1", "modalities": ["smell"]}, "modalities.0"),
        ({"patient": "p-1", "modalities": []}, "modalities"),
        ({"patient": "p-1", "colour": "red"}, "colour"),
    ],
)
def test_a_malformed_request_names_the_field(busy: House, body: dict[str, Any], field: str) -> None:
    answer = busy.http.post("/diagnoses", json=body, headers=busy.headers())
    assert (answer.status_code, fields(answer)) == (422, [field])


def test_malformed_json_is_a_bad_request(busy: House) -> None:
    headers = {**busy.headers(), "Content-Type": "application/json"}
    answer = busy.http.post("/diagnoses", content=b'{"patient": ', headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "tab\there"])
def test_a_malformed_idempotency_key_is_refused(busy: House, key: str) -> None:
    answer = busy.ask("p-1", key=key)
    assert (answer.status_code, fields(answer)) == (422, ["header.Idempotency-Key"])


def test_an_unknown_patient_is_not_found(busy: House) -> None:
    answer = busy.ask("nobody")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:consilium:problem:not-found")


def test_a_known_patient_without_evidence_at_that_time_is_refused(busy: House) -> None:
    admit(busy, "p-early")
    answer = busy.ask("p-early", asOf=hours_ago(100).isoformat())
    assert (answer.status_code, fields(answer)) == (422, ["asOf"])


def test_a_known_patient_without_evidence_in_those_modalities_is_refused(busy: House) -> None:
    busy.ward.add_note("p-note", hours_ago(1))
    answer = busy.ask("p-note", modalities=["image"])
    assert (answer.status_code, fields(answer)) == (422, ["modalities"])


def test_where_nobody_knows_of_consent_the_refusal_says_so(house: House) -> None:
    house.ward.add_note("p-1", hours_ago(1))
    house.ward.down.add("audit")
    answer = house.ask()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:consilium:problem:consent-unknown")


@pytest.mark.parametrize("service", ["imaging", "notes", "vitals", "audit"])
def test_while_a_neighbour_is_down_nothing_is_stored(house: House, service: str) -> None:
    admit(house, "p-1")
    house.ward.down.add(service)
    answer = house.ask("p-1", key="once")
    house.ward.down.clear()
    listed = house.http.get("/diagnoses", headers=house.headers()).json()["items"]
    assert (answer.status_code, listed) == (503, [])


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_not_ask(busy: House, role: Role) -> None:
    answer = busy.http.post("/diagnoses", json={"patient": "p-1"}, headers=busy.headers(role))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/diagnoses"),
        ("GET", "/diagnoses"),
        ("POST", "/diagnoses/search"),
        ("GET", "/diagnoses/x"),
        ("GET", "/diagnoses/x/events"),
        ("GET", "/diagnoses/x/manifest"),
        ("GET", "/diagnoses/x/heatmaps/1.2"),
        ("POST", "/diagnoses/x/feedback"),
        ("POST", "/internal/diagnosis/results"),
    ],
)
def test_without_a_token_nothing_is_answered(busy: House, method: str, path: str) -> None:
    assert busy.http.request(method, path).status_code == 401


# --- asking again -------------------------------------------------------------------------------------------------


def test_the_same_key_and_body_give_the_same_job(busy: House) -> None:
    admit(busy, "p-again")
    first, second = busy.ask("p-again", key="k-1"), busy.ask("p-again", key="k-1")
    assert (second.status_code, second.headers["location"]) == (202, first.headers["location"])
    assert second.headers["idempotent-replayed"] == "true"


def test_the_same_key_with_another_body_is_a_conflict(busy: House) -> None:
    admit(busy, "p-other")
    busy.ask("p-other", key="k-2")
    assert busy.ask("p-other", key="k-2", priority="stat").status_code == 409


def test_another_requester_may_use_the_same_key(busy: House) -> None:
    admit(busy, "p-two")
    first = busy.ask("p-two", key="k-3")
    headers = {**busy.headers(Role.EHR_SYSTEM), "Idempotency-Key": "k-3"}
    second = busy.http.post("/diagnoses", json={"patient": "p-two"}, headers=headers)
    assert second.json()["id"] != first.json()["id"]


def test_a_request_repeated_at_the_same_time_is_one_job(busy: House) -> None:
    admit(busy, "p-race")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: busy.ask("p-race", key="k-race"), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


# --- reading ------------------------------------------------------------------------------------------------------


def test_a_result_carries_its_receipt(finished: Any) -> None:
    index = finished["audit"]["index"]
    assert finished["audit"]["receipt"] == f"/audit/entries/{index}/receipt"


def test_a_result_carries_measured_timings(finished: Any) -> None:
    timings = finished["timings"]
    parts = sum(timings[name] for name in ("queued", "fetch", "encode", "fuse", "explain"))
    assert min(timings["queued"], timings["fetch"]) > 0
    assert timings["total"] >= parts


def test_a_heat_map_is_a_png(busy: House, finished: Any) -> None:
    [image] = finished["explanation"]["images"]
    answer = busy.http.get(image["heatmap"], headers=busy.headers())
    assert (answer.headers["content-type"], answer.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")


def test_a_heat_map_of_another_instance_is_not_found(busy: House, finished: Any) -> None:
    path = f"/diagnoses/{finished['id']}/heatmaps/1.2.3"
    assert busy.http.get(path, headers=busy.headers()).status_code == 404


@pytest.mark.parametrize("tail", ["", "/events", "/manifest", "/heatmaps/1.2"])
def test_an_unknown_diagnosis_is_not_found(busy: House, tail: str) -> None:
    assert busy.http.get(f"/diagnoses/no-such-id{tail}", headers=busy.headers()).status_code == 404


def test_the_manifest_names_the_patient_by_pseudonym_only(busy: House, finished: Any) -> None:
    manifest = busy.http.get(f"/diagnoses/{finished['id']}/manifest", headers=busy.headers())
    assert "p-done" not in manifest.text
    assert manifest.json()["subject"].startswith("pat-")


def test_progress_ends_with_done(busy: House) -> None:
    admit(busy, "p-watch")
    job = busy.ask("p-watch").json()["id"]
    headers = {**busy.headers(), "Last-Event-ID": "7"}
    with busy.http.stream("GET", f"/diagnoses/{job}/events", headers=headers) as stream:
        content_type = stream.headers["content-type"]
        lines = list(stream.iter_lines())
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    last = json.loads([line for line in lines if line.startswith("data: ")][-1].removeprefix("data: "))
    assert content_type.startswith("text/event-stream")
    assert (set(events[:-1]), events[-1], last["status"]) == ({"stage"}, "done", "succeeded")


def test_the_work_list_pages_without_gap_or_repeat(house: House) -> None:
    admit(house, "p-1")
    asked = [house.ask("p-1").json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = house.http.get("/diagnoses", params={"limit": 2, **cursor}, headers=house.headers()).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == asked[::-1]


def test_the_work_list_filters_by_status(busy: House, finished: Any) -> None:
    listed = busy.http.get("/diagnoses", params={"status": "failed"}, headers=busy.headers()).json()
    assert finished["id"] not in [item["id"] for item in listed["items"]]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "many"}, {"status": "odd"}, {"cursor": "'; DROP"}])
def test_a_malformed_query_is_refused(busy: House, query: dict[str, str]) -> None:
    assert busy.http.get("/diagnoses", params=query, headers=busy.headers()).status_code == 422


def test_the_work_list_is_for_clinicians(busy: House) -> None:
    assert busy.http.get("/diagnoses", headers=busy.headers(Role.EHR_SYSTEM)).status_code == 403


def test_the_diagnoses_of_a_patient_are_found(busy: House, finished: Any) -> None:
    answer = busy.http.post("/diagnoses/search", json={"patient": "p-done"}, headers=busy.headers(Role.EHR_SYSTEM))
    assert [item["id"] for item in answer.json()["items"]] == [finished["id"]]


def test_the_inside_door_gives_finished_results_in_full(busy: House, finished: Any) -> None:
    answer = busy.http.post(
        "/internal/diagnosis/results", json={"patient": "p-done"}, headers=busy.headers(Role.SERVICE)
    )
    [item] = answer.json()["items"]
    assert item["explanation"] == finished["explanation"]


def test_the_inside_door_is_closed_to_people(busy: House) -> None:
    answer = busy.http.post("/internal/diagnosis/results", json={}, headers=busy.headers(Role.CLINICIAN))
    assert answer.status_code == 403


def test_reading_a_result_is_an_event(busy: House, finished: Any) -> None:
    def _reads() -> int:
        return sum(e.object is not None and e.object.id == finished["id"] for e in busy.ward.log_of("diagnosis-read"))

    before = _reads()
    busy.read(finished["id"])
    eventually(lambda: _reads() > before, what="the read event")


def test_a_work_list_is_told_of_each_patient_on_it(busy: House, finished: Any) -> None:
    admit(busy, "p-also")
    other = busy.finished(busy.ask("p-also").json()["id"])
    busy.http.get("/diagnoses", params={"limit": 200}, headers=busy.headers()).raise_for_status()
    wanted = {finished["id"], other["id"]}

    def _told() -> list[Any]:
        return [event for event in busy.ward.log_of("diagnoses-listed") if wanted & set(event.details["ids"])]

    eventually(lambda: len({event.subject_ref for event in _told()} - {None}) == 2, what="an event for each patient")
    assert not any(wanted <= set(event.details["ids"]) for event in _told())


def test_an_unchanged_work_list_is_not_shown_again_and_not_logged(busy: House, finished: Any) -> None:
    def _list(tag: str | None = None) -> httpx.Response:
        known = {"If-None-Match": f'"of-another-list", {tag}'} if tag else {}
        return busy.http.get("/diagnoses", params={"limit": 200}, headers=busy.headers() | known)

    def _told(answer: httpx.Response) -> list[Any]:
        return [e for e in busy.ward.log_of("diagnoses-listed") if e.request_id == answer.headers["X-Request-ID"]]

    def _unchanged() -> httpx.Response | None:
        """None while jobs of other tests still change the list."""
        again = _list(_list().headers["ETag"])
        return again if again.status_code == 304 else None

    again = eventually(_unchanged, what="a list that does not change")
    assert again.content == b""
    admit(busy, "p-new")
    busy.ask("p-new")
    changed = _list(again.headers["ETag"])
    assert changed.status_code == 200
    # Events leave in the order of their numbers: one of the answer before would be there by now.
    eventually(lambda: _told(changed), what="the entry of the list that was shown")
    assert not _told(again)


def test_what_another_reader_was_given_answers_nobody_else(busy: House, finished: Any) -> None:
    theirs = busy.http.get("/diagnoses", headers=busy.bed.headers(subject="dr-a")).headers["ETag"]
    mine = busy.http.get("/diagnoses", headers=busy.bed.headers(subject="dr-b") | {"If-None-Match": theirs})
    assert (mine.status_code, bool(mine.json()["items"])) == (200, True)


def test_no_event_holds_the_patient_identifier(busy: House, finished: Any) -> None:
    busy.read(finished["id"])
    eventually(lambda: busy.ward.log_of("diagnosis-read"), what="the read event")
    told = "".join(event.model_dump_json() for event in busy.ward.events.values())
    assert "p-done" not in told


# --- feedback -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"action": "accept"},
        {"action": "override", "code": "91302008", "text": "Lactate 5."},
        {"action": "comment", "text": "Seen on the ward round."},
    ],
)
def test_feedback_is_kept(busy: House, finished: Any, body: dict[str, str]) -> None:
    answer = busy.http.post(f"/diagnoses/{finished['id']}/feedback", json=body, headers=busy.headers())
    assert (answer.status_code, answer.json()["action"]) == (201, body["action"])


def test_feedback_is_an_event_without_its_words(busy: House, finished: Any) -> None:
    body = {"action": "comment", "text": "Mrs Jones is better."}
    given = busy.http.post(f"/diagnoses/{finished['id']}/feedback", json=body, headers=busy.headers()).json()

    def _event() -> Any:
        found = busy.ward.log_of("diagnosis-commented")
        return [event for event in found if event.details["feedback"] == given["id"]]

    [event] = eventually(_event, what="the feedback event")
    assert "Jones" not in event.model_dump_json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "override"}, "code"),
        ({"action": "override", "code": "J18.9"}, "code"),
        ({"action": "comment"}, "text"),
        ({"action": "comment", "text": " "}, "text"),
        ({"action": "shrug"}, "action"),
        ({"action": "accept", "text": "x" * 4001}, "text"),
    ],
)
def test_malformed_feedback_names_the_field(busy: House, finished: Any, body: dict[str, str], field: str) -> None:
    answer = busy.http.post(f"/diagnoses/{finished['id']}/feedback", json=body, headers=busy.headers())
    assert (answer.status_code, fields(answer)) == (422, [field])


def test_feedback_on_an_unfinished_diagnosis_is_a_conflict(house: House) -> None:
    admit(house, "p-1")
    job = house.ask("p-1").json()["id"]
    answer = house.http.post(f"/diagnoses/{job}/feedback", json={"action": "accept"}, headers=house.headers())
    assert answer.status_code == 409


# --- readiness ----------------------------------------------------------------------------------------------------


def test_without_a_worker_the_service_is_not_ready(house: House) -> None:
    answer = house.http.get("/readyz")
    assert (answer.status_code, answer.json()["waitingFor"]) == (
        503,
        ["no worker with a loaded model bundle has been heard of"],
    )


def test_without_a_broker_the_service_is_not_ready(house: House) -> None:
    house.start_worker()
    house.valkey.kill()
    assert house.http.get("/readyz").json()["waitingFor"] == ["the broker does not answer"]


def test_a_killed_worker_is_soon_missed(house: House) -> None:
    house.start_worker().kill()
    eventually(lambda: house.http.get("/readyz").status_code == 503, what="the missing")


def test_the_web_part_never_imports_the_model(tmp_path: Path) -> None:
    import subprocess
    import sys

    heavy = "{'torch', 'monai', 'transformers', 'sklearn', 'numpy', 'celery', 'PIL'}"
    code = f"import sys, services.diagnosis.app; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
