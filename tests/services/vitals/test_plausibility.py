"""What a body cannot have and what a sensor makes up is kept, marked, and told; evidence is without it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from services.vitals.domain import Point, in_order
from services.vitals.plausibility import Flag, evidence_of, flags_of
from services.vitals.signs import SIGN_OF
from services.vitals.sources import SourceRules
from tests.services.vitals.conftest import Start, in_words, make_sample, send, stored
from tests.services.vitals.test_windows import ask, read
from tests.support.common import TestBed

RULES = SourceRules()
T0 = datetime(2026, 3, 14, 8, tzinfo=UTC)


def series(values: list[float], code: str = "8867-4", every_s: float = 60, device: str = "watch") -> list[Point]:
    return [
        Point(code, float(value), SIGN_OF[code].unit, T0 + timedelta(seconds=n * every_s), device)
        for n, value in enumerate(values)
    ]


def marked(points: list[Point], flag: Flag) -> list[int]:
    return [index for index, flags in enumerate(flags_of(points, RULES)) if flag in flags]


@pytest.mark.parametrize(
    ("code", "unit", "value", "flag"),
    [
        ("8867-4", "/min", 351, "out-of-range"),
        ("8867-4", "/min", 0, "no-signal"),
        ("59408-5", "%", 0, "no-signal"),
        ("8310-5", "Cel", 98.6, "out-of-range"),
        ("8310-5", "Cel", -17.8, "out-of-range"),
        ("8310-5", "[degF]", 37, "out-of-range"),
        ("8480-6", "mm[Hg]", 1200, "out-of-range"),
        ("8480-6", "mm[Hg]", 0, "no-signal"),
        ("9279-1", "/min", 121, "out-of-range"),
    ],
)
def test_what_a_body_cannot_have_is_kept_and_is_no_evidence(
    start: Start, any_database: str, bed: TestBed, code: str, unit: str, value: float, flag: str
) -> None:
    client = start(any_database)
    doubtful = make_sample(code=code, unit=unit, value=value, effective="2026-03-14T08:31:00Z")
    assert in_words(send(client, [make_sample(), doubtful])) == (2, 0, [])
    assert [sample["flags"] for sample in stored(client)] == [[], [flag]]
    (item,) = ask(client, bed).items
    assert [sample.value for sample in read(client, bed, item.id).samples] == [71]
    assert item.quality["flagged"] == {flag: 1}


def test_patient_with_doubtful_samples_alone_has_no_window(client: TestClient, bed: TestBed) -> None:
    send(client, [make_sample(value=0)])
    found = ask(client, bed)
    assert (found.known, found.items) == (True, [])


def test_no_steps_are_a_measurement(client: TestClient) -> None:
    send(client, [make_sample(code="55423-8", unit="{steps}", value=0)])
    assert stored(client)[0]["flags"] == []


def test_a_reading_far_from_both_neighbours_is_a_spike() -> None:
    assert marked(series([72, 74, 130, 73, 72]), Flag.SPIKE) == [2]
    assert marked(series([110, 60, 112], "8480-6"), Flag.SPIKE) == [1]


@pytest.mark.parametrize(
    "values",
    [
        [72, 74, 130, 131, 128],  # stays up
        [72, 100, 130, 160, 165],  # rises
        [72, 111, 73],  # by 39
        [130, 72],  # no neighbour behind
    ],
)
def test_a_change_that_lasts_or_is_small_is_no_spike(values: list[float]) -> None:
    assert marked(series(values), Flag.SPIKE) == []


def test_readings_hours_apart_are_no_spikes() -> None:
    assert marked(series([72, 130, 73], every_s=3600), Flag.SPIKE) == []


def test_devices_are_not_each_others_neighbours() -> None:
    points = in_order([*series([72, 72, 72]), *series([130, 130, 130], device="other")])
    assert marked(points, Flag.SPIKE) == []


def test_the_same_heart_rate_for_half_an_hour_is_a_flat_line() -> None:
    assert marked(series([60, *[72] * 31, 75]), Flag.FLAT_LINE) == list(range(1, 32))
    assert marked(series([72] * 30), Flag.FLAT_LINE) == []  # 29 minutes
    assert marked(series([72] * 29, every_s=120), Flag.FLAT_LINE) == []  # 29 readings
    assert marked(series([98] * 100, "59408-5"), Flag.FLAT_LINE) == []


def test_spikes_and_flat_lines_stay_evidence() -> None:
    points = series([72, 130, 73])
    assert evidence_of(points, RULES) == (points, {"spike": 1})


@given(values=st.lists(st.floats(-10, 400), max_size=60), every_s=st.integers(1, 300))
def test_every_sample_is_evidence_or_marked(values: list[float], every_s: int) -> None:
    points = series(values, every_s=every_s)
    kept, flagged = evidence_of(points, RULES)
    assert len(kept) + flagged.get("out-of-range", 0) + flagged.get("no-signal", 0) == len(points)
    assert sum(Counter(flag for flags in flags_of(points, RULES) for flag in flags).values()) == sum(flagged.values())
