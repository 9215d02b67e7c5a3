"""Times of devices: what they said is kept, what is true stands beside it, and frozen windows keep what they saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from tests.services.vitals.conftest import NOW, Start, in_words, make_sample, runtime_of, send, stored
from tests.services.vitals.test_real_data import FITBIT_SAMPLES, fitbit_samples
from tests.services.vitals.test_windows import ask, read
from tests.support.common import TestBed


def shown(behind: timedelta, ages_min: list[float], **more: Any) -> list[dict[str, Any]]:
    """Samples of so many minutes ago by a clock that is so much behind, sent now."""
    sent = NOW - behind
    times = [(sent - timedelta(minutes=age)).isoformat() for age in ages_min]
    return [make_sample(effective=at, sent=sent.isoformat(), value=60 + n, **more) for n, at in enumerate(times)]


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(NOW - datetime(1970, 1, 1, tzinfo=UTC), id="never set"),
        pytest.param(timedelta(days=-365), id="a year ahead"),
        pytest.param(timedelta(minutes=12), id="twelve minutes behind"),
    ],
)
def test_wrong_clock_that_tells_its_time_is_corrected(
    start: Start, any_database: str, bed: TestBed, behind: timedelta
) -> None:
    client = start(any_database)
    samples = shown(behind, [30, 20, 10])
    assert in_words(send(client, samples)) == (3, 0, [])
    found = stored(client)
    true = [NOW - timedelta(minutes=age) for age in (30, 20, 10)]
    assert [datetime.fromisoformat(s["effective"]) for s in found] == true
    assert [datetime.fromisoformat(s["deviceTime"]) for s in found] == [t - behind for t in true]
    (item,) = ask(client, bed, asOf=NOW.isoformat()).items
    assert [sample.effective for sample in read(client, bed, item.id).samples] == true
    assert item.quality["corrected"] == 3
    assert in_words(send(client, samples)) == (0, 3, [])


@pytest.mark.parametrize("effective", ["1970-01-01T00:10:00Z", "2027-03-14T08:30:00Z"])
def test_wrong_clock_that_does_not_is_told_how(client: TestClient, effective: str) -> None:
    (rejected,) = send(client, [make_sample(effective=effective)]).json()["rejected"]
    assert rejected["field"] == "effective"
    assert "`sent`" in rejected["fix"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"sent": "2026-03-15T12:00:00"}, "sent"),
        ({"sent": 17}, "sent"),
        ({"sent": "2026-03-14T07:00:00Z"}, "effective"),  # measured after it was sent
        ({"sent": "2026-03-14T08:30:00Z", "effective": "1900-01-01T00:00:00Z"}, "effective"),
    ],
)
def test_time_of_sending_that_cannot_be_is_rejected(client: TestClient, changed: dict[str, str], field: str) -> None:
    (rejected,) = send(client, [make_sample(**changed)]).json()["rejected"]
    assert rejected["field"] == field


def test_same_sample_sent_again_over_a_slow_line_is_a_duplicate(start: Start, any_database: str) -> None:
    client = start(any_database)
    first, again = shown(timedelta(minutes=12), [30])[0], shown(timedelta(minutes=12, seconds=40), [30])[0]
    assert in_words(send(client, [first])) == (1, 0, [])
    assert in_words(send(client, [{**again, "effective": first["effective"]}])) == (0, 1, [])


def test_clock_is_told_with_offset_and_confidence(start: Start, any_database: str) -> None:
    client = start(any_database)
    for age in (30, 20, 10):
        send(client, shown(timedelta(minutes=12), [age]))
    question = {"patient": "P-1001", "start": "2026-03-01T00:00:00Z", "end": "2026-03-16T00:00:00Z"}
    (clock,) = client.post("/vitals/search", json=question).json()["clocks"]
    assert (clock["device"], clock["offsetS"], clock["confidence"]) == ("watch-1", 720.0, "high")


def test_local_times_around_a_change_of_clocks_are_four_moments(client: TestClient) -> None:
    # New York, 8 March 2026: 01:59:59-05:00 is followed by 03:00:00-04:00; 2 November 2025: 01:30 comes twice.
    times = [
        "2025-11-02T01:30:00-04:00",
        "2025-11-02T01:30:00-05:00",
        "2026-03-08T01:59:59-05:00",
        "2026-03-08T03:00:00-04:00",
    ]
    assert in_words(send(client, [make_sample(effective=at) for at in times])) == (4, 0, [])
    found = stored(client)
    assert [s["zoneMinutes"] for s in found] == [-240, -300, -300, -240]
    moments = [datetime.fromisoformat(s["effective"]) for s in found]
    assert moments[1] - moments[0] == timedelta(hours=1)
    assert moments[3] - moments[2] == timedelta(seconds=1)


def test_traveller_s_samples_sent_from_each_zone_are_stored_once(start: Start, any_database: str) -> None:
    client = start(any_database)
    moments = [NOW - timedelta(hours=10 - n) for n in range(8)]
    counts = []
    for zone in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu"):
        samples = [make_sample(effective=at.astimezone(ZoneInfo(zone)).isoformat()) for at in moments]
        counts.append(in_words(send(client, samples)))
    assert counts == [(8, 0, []), (0, 8, []), (0, 8, [])]
    assert {s["zoneMinutes"] for s in stored(client)} == {60}


@pytest.mark.parametrize("text", ["2026-03-14T08:30:00Z", "2026-03-14T08:30:00-00:00", "2026-03-14 08:30:00z"])
def test_time_in_utc_names_no_zone(client: TestClient, text: str) -> None:
    send(client, [make_sample(effective=text)])
    assert stored(client)[0]["zoneMinutes"] is None


def test_frozen_window_keeps_what_it_saw_when_a_sample_comes_late(
    start: Start, any_database: str, bed: TestBed
) -> None:
    client = start(any_database)
    send(client, [make_sample()])
    (used,) = ask(client, bed, asOf="2026-03-14T09:00:00Z").items
    send(client, [make_sample(effective="2026-03-14T07:00:00Z", value=99)])
    (now,) = ask(client, bed, asOf="2026-03-14T09:00:00Z").items
    assert now.digest != used.digest
    assert [s.value for s in read(client, bed, used.id).samples] == [71]


STRAP, WATCH, PHONE = "Polar H10 strap", "Apple Watch", "iPhone"


def test_better_source_is_evidence_and_the_others_are_kept(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    values = {STRAP: 80, WATCH: 84, PHONE: 90, "something else": 70}
    send(client, [make_sample(value=v, device=d, effective="2026-03-14T08:30:20Z") for d, v in values.items()])
    send(client, [make_sample(value=66, device=WATCH, effective="2026-03-14T08:40:00Z")])
    flags = {(s["device"], s["value"]): s["flags"] for s in stored(client)}
    assert {key for key, marks in flags.items() if marks == ["overlapped"]} == {(WATCH, 84), (PHONE, 90)}
    (item,) = ask(client, bed).items
    assert sorted(s.value for s in read(client, bed, item.id).samples) == [66, 70, 80]


def test_steps_of_watch_and_phone_are_not_counted_twice(client: TestClient) -> None:
    steps = {"code": "55423-8", "unit": "{steps}"}
    times = {WATCH: "2026-03-14T08:30:00Z", PHONE: "2026-03-14T08:40:00Z"}
    send(client, [make_sample(device=d, effective=at, value=500, **steps) for d, at in times.items()])
    assert [s["flags"] for s in stored(client)] == [[], ["overlapped"]]


def test_sensor_that_is_off_overrules_nobody(client: TestClient) -> None:
    send(client, [make_sample(device=STRAP, value=0), make_sample(device=WATCH, value=84)])
    assert {s["device"]: s["flags"] for s in stored(client)} == {STRAP: ["no-signal"], WATCH: []}


def test_order_of_sources_is_a_setting(start: Start, database: str) -> None:
    client = start(database, source_priority={"8867-4": ("watch", "chest-strap")})
    send(client, [make_sample(device=STRAP, value=80), make_sample(device=WATCH, value=84)])
    assert {s["device"]: s["flags"] for s in stored(client)} == {STRAP: ["overlapped"], WATCH: []}


def test_address_in_memory_makes_no_new_device(client: TestClient) -> None:
    names = [f"<<HKDevice: 0x28{n:07x}>, name:Apple Watch, model:Watch, software:26.{n}>" for n in range(73)]
    samples = [make_sample(device=name) for name in names]
    assert in_words(send(client, samples)) == (1, 72, [])
    assert stored(client)[0]["device"] == "name:Apple Watch, model:Watch"


def test_a_real_wearable_whose_clock_was_never_set_is_put_right(client: TestClient, reference_data: Path) -> None:
    # Days of samples, the first one stamped at the beginning of 1970; the last one sent now.
    directory = reference_data / "vitals"
    samples = list(fitbit_samples(directory))
    assert len(samples) == FITBIT_SAMPLES
    times = [datetime.fromisoformat(s["effective"]) for s in samples]
    last = max(times)
    sent = last - (min(times) - datetime(1970, 1, 1, tzinfo=UTC))
    moved = [
        {**s, "patient": "P-1001", "effective": (at - last + sent).isoformat(), "sent": sent.isoformat()}
        for s, at in zip(samples, times, strict=True)
    ]
    accepted, duplicates, rejected = in_words(send(client, moved))
    assert (accepted + duplicates, rejected) == (FITBIT_SAMPLES, [])
    with runtime_of(client).sessions() as session:
        rows = session.execute(sa.text("SELECT count(*), count(corrected) FROM sample")).one()
    assert tuple(rows) == (accepted, accepted)
    answer = client.post(
        "/vitals/search",
        json={"patient": "P-1001", "start": (NOW - timedelta(days=60)).isoformat(), "end": NOW.isoformat()},
    ).json()
    assert answer["total"] == accepted
    assert datetime.fromisoformat(answer["samples"][-1]["effective"]) == NOW
    assert len({(at - last, s["value"]) for s, at in zip(samples, times, strict=True)}) == accepted
