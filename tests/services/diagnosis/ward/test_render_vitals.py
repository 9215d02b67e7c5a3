"""Streams are irregular and plausible, and each event lies in its window."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.render_vitals import Stream, render_vitals
from services.diagnosis.ward.tables import VITALS
from services.diagnosis.ward.wearables import (
    CODES,
    HR,
    HRV,
    NEW_SITE_WEARABLE,
    NOISY_WEARABLE,
    RR,
    SKEWED_CLOCKS,
    SPO2,
    STANDARD_WEARABLE,
    STEPS,
    SYSTOLIC,
    TEMPERATURE,
    Wearable,
)
from shared.codes import VITAL_SIGNS

EVENTS = [(name, value) for name, values in VITALS.items() for value in values]
EVENTS += [("saturation_dips", "earlier"), ("saturation_dips", "recent")]
DIRECTION = {
    ("fever_curve", TEMPERATURE): 1, ("tachycardia", HR): 1, ("desaturation", SPO2): -1, ("tachypnoea", RR): 1,
    ("inactivity", STEPS): -1, ("low_variability", HRV): -1, ("saturation_dips", SPO2): -1,
}  # fmt: skip


def draw(findings: dict[str, str], number: int, wearable: Wearable = STANDARD_WEARABLE) -> Stream:
    return render_vitals(findings, np.random.default_rng(number), hour_of_day=9.0, wearable=wearable)


@pytest.mark.parametrize("wearable", [STANDARD_WEARABLE, NOISY_WEARABLE, SKEWED_CLOCKS, NEW_SITE_WEARABLE])
@pytest.mark.parametrize(("name", "value"), EVENTS)
def test_an_event_changes_its_windows_and_nothing_else(
    normal: dict[str, str], name: str, value: str, wearable: Wearable
) -> None:
    for number in range(8):
        quiet, ill = draw(normal, number, wearable), draw(normal | {name: value}, number, wearable)
        np.testing.assert_array_equal(quiet.times_h, ill.times_h)
        inside = np.zeros(len(ill.times_h), dtype=bool)
        for code, start, end, _ in ill.windows:
            inside |= (np.array(ill.codes) == code) & (ill.times_h >= start) & (ill.times_h <= end)
        changed = quiet.values != ill.values
        assert changed[inside].any()
        assert not changed[~inside].any()


@pytest.mark.parametrize(("name", "code"), DIRECTION)
def test_events_move_their_vital_sign_as_the_body_does(normal: dict[str, str], name: str, code: str) -> None:
    for value in VITALS.get(name, {"recent": ()}):
        moved = [
            ill.values[inside].mean() - quiet.values[inside].mean()
            for quiet, ill in ((draw(normal, number), draw(normal | {name: value}, number)) for number in range(12))
            for inside in [np.array(ill.codes) == code]
        ]
        assert np.sign(np.mean(moved)) == DIRECTION[name, code]


def test_low_and_high_blood_pressure_are_opposites(normal: dict[str, str]) -> None:
    def systolic(value: str) -> float:
        stream = draw(normal | {"blood_pressure": value}, 3)
        return float(stream.values[(np.array(stream.codes) == SYSTOLIC) & (stream.times_h > -12)].mean())

    assert systolic("low") + 20 < systolic("absent") < systolic("high") - 20


def test_streams_hold_300_to_1500_samples_of_every_sign_in_72_hours() -> None:
    for index in range(100):
        stream = generate_patient(5, index).stream
        assert 300 <= len(stream.times_h) <= 1500
        assert set(stream.codes) == set(CODES)
        assert stream.times_h.min() >= -72
        assert stream.times_h.max() <= 0
        assert (np.diff(stream.times_h) >= 0).all()


def test_sampling_is_irregular_and_has_gaps() -> None:
    stream = generate_patient(5, 1).stream
    intervals = np.diff(stream.times_h[np.array(stream.codes) == HR])
    assert intervals.std() > 0.3 * intervals.mean()
    assert intervals.max() > 2.5 * np.median(intervals)


def test_values_are_those_of_a_living_person() -> None:
    bounds = {sign.coding.code: (sign.low, sign.high) for sign in VITAL_SIGNS}
    for index in range(60):
        stream = generate_patient(6, index).stream
        assert all(
            bounds[code][0] <= value <= bounds[code][1] for code, value in zip(stream.codes, stream.values, strict=True)
        )


def test_no_vital_sign_is_measured_twice_at_one_time() -> None:
    for index in range(60):
        stream = generate_patient(6, index).stream
        seen = list(zip(stream.codes, stream.times_h.tolist(), strict=True))
        assert len(seen) == len(set(seen))


def test_the_heart_beats_faster_in_the_afternoon_than_before_dawn(normal: dict[str, str]) -> None:
    day, night = [], []
    for number in range(20):
        stream = draw(normal, number)
        hour, heart = (9.0 + stream.times_h) % 24, np.array(stream.codes) == HR
        day.append(stream.values[heart & (hour > 13) & (hour < 19)].mean())
        night.append(stream.values[heart & (hour > 1) & (hour < 7)].mean())
    assert np.mean(day) > np.mean(night) + 8


def test_at_night_the_patient_sleeps(normal: dict[str, str]) -> None:
    night, day = [], []
    for number in range(10):
        stream = draw(normal, number)
        hour, steps = (9.0 + stream.times_h) % 24, np.array(stream.codes) == STEPS
        night += stream.values[steps & ((hour > 23) | (hour < 6))].tolist()
        day += stream.values[steps & (hour > 9) & (hour < 21)].tolist()
    assert np.mean(night) < 0.1 * np.mean(day)


def test_the_same_generator_state_gives_the_same_stream(normal: dict[str, str]) -> None:
    # Also when both are made of one seed sequence, which counts what is spawned of it.
    seed, ill = np.random.SeedSequence(1), normal | {"tachycardia": "irregular"}
    first, again = (render_vitals(ill, np.random.default_rng(seed), hour_of_day=9.0) for _ in range(2))
    np.testing.assert_array_equal(first.values, again.values)
