"""Frozen windows: the same samples are the same window for ever, and nothing later or older is in it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from shared.auth import Role
from shared.contracts.evidence import EvidenceList, VitalsWindow
from tests.services.vitals.conftest import Start, events_of, make_sample, runtime_of, send
from tests.support.common import TestBed


def ask(client: TestClient, bed: TestBed, **question: Any) -> EvidenceList:
    answer = client.post(
        "/internal/vitals/evidence", json={"patient": "P-1001", **question}, headers=bed.headers(Role.SERVICE)
    )
    assert answer.status_code == 200, answer.text
    return EvidenceList.model_validate(answer.json())


def read(client: TestClient, bed: TestBed, window_id: str) -> VitalsWindow:
    answer = client.get(f"/internal/vitals/evidence/{window_id}", headers=bed.headers(Role.SERVICE))
    assert answer.status_code == 200, answer.text
    return VitalsWindow.model_validate(answer.json())


HOURS = {"2026-03-11T07:59:59Z": 60, "2026-03-11T08:00:00Z": 61, "2026-03-14T08:00:00Z": 62, "2026-03-14T09:00:00Z": 63}
"""Around the 72 hours before 14 March, 08:00."""


def test_window_holds_the_72_hours_up_to_the_time_asked_for(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    send(client, [make_sample(effective=at, value=value) for at, value in HOURS.items()])
    (item,) = ask(client, bed, asOf="2026-03-14T08:00:00Z").items
    window = read(client, bed, item.id)
    assert [sample.value for sample in window.samples] == [61, 62]
    assert (item.effective_at, window.digest) == (window.end, item.digest)
    assert window.samples[0].effective == window.start
    assert item.quality == {
        "samples": 2,
        "variables": 1,
        "perVariable": {"8867-4": 2},
        "conflicting": 0,
        "flagged": {},
        "corrected": 0,
    }


def test_window_without_a_time_ends_with_the_newest_sample(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    send(client, [make_sample(effective=at, value=value) for at, value in HOURS.items()])
    (item,) = ask(client, bed).items
    assert [sample.value for sample in read(client, bed, item.id).samples] == [62, 63]


def test_same_samples_are_the_same_window_whatever_time_was_asked_for(
    start: Start, any_database: str, bed: TestBed
) -> None:
    client = start(any_database)
    send(client, [make_sample()])
    first = ask(client, bed).items
    assert ask(client, bed, asOf="2026-03-14T20:00:00Z").items == first
    assert ask(client, bed, asOf="2026-03-15T20:00:00+05:00").items == first


def test_late_sample_makes_another_window_and_leaves_the_frozen_one(
    start: Start, any_database: str, bed: TestBed
) -> None:
    client = start(any_database)
    send(client, [make_sample()])
    (before,) = ask(client, bed).items
    send(client, [make_sample(effective="2026-03-14T07:00:00Z", value=99)])
    (after,) = ask(client, bed).items
    assert after.digest != before.digest
    assert [sample.value for sample in read(client, bed, before.id).samples] == [71]
    assert [sample.value for sample in read(client, bed, after.id).samples] == [99, 71]


def test_order_of_arrival_does_not_change_the_digest(start: Start, bed: TestBed, tmp_path: Any) -> None:
    from shared.database import migrate

    samples = [
        make_sample(value=60 + n, device=f"d{n % 3}", effective=f"2026-03-14T08:0{n // 2}:00Z") for n in range(8)
    ]
    digests = set()
    for n, order in enumerate((samples, samples[::-1], samples[4:] + samples[:4])):
        url = f"sqlite:///{tmp_path}/order-{n}.db"
        migrate(url, "vitals")
        client = start(url)
        send(client, order)
        digests.add(ask(client, bed).items[0].digest)
    assert len(digests) == 1


def test_contradicting_samples_are_kept_and_counted(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    other_device = make_sample(value=75, device="watch-2")
    send(client, [make_sample(value=71), make_sample(value=72), other_device])
    (item,) = ask(client, bed).items
    assert item.quality["conflicting"] == 2
    assert [sample.value for sample in read(client, bed, item.id).samples] == [71, 72, 75]


def test_patient_with_older_samples_only_is_known_without_a_window(
    start: Start, any_database: str, bed: TestBed
) -> None:
    client = start(any_database)
    send(client, [make_sample(effective="2026-02-01T08:00:00Z"), make_sample(effective="2026-03-15T08:00:00Z")])
    for as_of in ("2026-03-14T08:00:00Z", "2026-01-01T00:00:00Z"):
        found = ask(client, bed, asOf=as_of)
        assert (found.known, found.items) == (True, [])


@pytest.mark.parametrize("patient", ["P-404", "", "a\x00b", "x" * 500])
def test_unknown_patient_is_not_known(start: Start, any_database: str, bed: TestBed, patient: str) -> None:
    found = ask(start(any_database), bed, patient=patient)
    assert (found.known, found.items) == (False, [])


@pytest.mark.parametrize("window_id", ["0190a0a0-0000-7000-8000-000000000000", "no-such-id", "%00"])
def test_unknown_window_is_not_found(start: Start, any_database: str, bed: TestBed, window_id: str) -> None:
    answer = start(any_database).get(f"/internal/vitals/evidence/{window_id}", headers=bed.headers(Role.SERVICE))
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["field"] == "id"


def test_two_patients_with_the_same_samples_have_windows_of_their_own(client: TestClient, bed: TestBed) -> None:
    send(client, [make_sample(), make_sample(patient="P-2")])
    one, other = ask(client, bed).items[0], ask(client, bed, patient="P-2").items[0]
    assert one.id != other.id
    assert one.digest != other.digest


def test_reading_a_window_is_an_event_and_listing_is_none(client: TestClient, bed: TestBed) -> None:
    send(client, [make_sample()])
    (item,) = ask(client, bed).items
    read(client, bed, item.id)
    stored, window_read = events_of(client)
    assert (stored["subtype"], window_read["subtype"]) == ("vitals-stored", "vitals-window-read")
    assert window_read["object"]["id"] == item.id
    assert window_read["subjectRef"] == stored["subjectRef"]


def test_damaged_content_is_never_given_out(client: TestClient, bed: TestBed) -> None:
    send(client, [make_sample()])
    (item,) = ask(client, bed).items
    send(client, [make_sample(value=200)])
    (other,) = ask(client, bed).items
    with runtime_of(client).sessions.begin() as session:
        swap = "UPDATE window SET blob = (SELECT w.blob FROM window w WHERE w.id = :other) WHERE id = :id"
        session.execute(sa.text(swap), {"other": other.id, "id": item.id})
    answer = client.get(f"/internal/vitals/evidence/{item.id}", headers=bed.headers(Role.SERVICE))
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:consilium:problem:window-damaged"


def test_people_may_not_use_the_internal_door(client: TestClient) -> None:
    assert client.post("/internal/vitals/evidence", json={"patient": "P-1001"}).status_code == 403
    assert client.get("/internal/vitals/evidence/x").status_code == 403
