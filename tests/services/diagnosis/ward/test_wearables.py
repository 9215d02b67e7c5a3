"""Devices, clocks and sensors are as the ward says they are."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward.population import SITES, Person
from services.diagnosis.ward.render_vitals import Stream, render_vitals
from services.diagnosis.ward.wearables import (
    CHANNELS,
    CODES,
    HR,
    NEW_SITE_WEARABLE,
    NOISY_WEARABLE,
    SKEWED_CLOCKS,
    SPO2,
    STANDARD_WEARABLE,
    Clock,
    Wearable,
)

PRESETS = [STANDARD_WEARABLE, NOISY_WEARABLE, SKEWED_CLOCKS, NEW_SITE_WEARABLE]
FURTHEST_S = 3600
"""The vitals service refuses what lies further in the future."""


def streams(normal: dict[str, str], wearable: Wearable, n: int = 60, *, skin_type: int = 2) -> list[Stream]:
    return [
        render_vitals(
            normal,
            np.random.default_rng([7, i]),
            hour_of_day=9.0,
            person=Person(60, "F", skin_type, SITES[i % 3]),
            wearable=wearable,
        )
        for i in range(n)
    ]


def mean_of(streams: list[Stream], code: str) -> float:
    return float(np.mean([stream.values[np.array(stream.codes) == code].mean() for stream in streams]))


@pytest.mark.parametrize("wearable", PRESETS, ids=lambda w: w.profile)
def test_weights_of_a_mixture_sum_to_one(wearable: Wearable) -> None:
    for mixture in (*wearable.sites.values(), wearable.elsewhere):
        assert sum(weight for weight, _ in mixture) == pytest.approx(1)


def test_one_device_in_ten_sends_other_units() -> None:
    share = {"harbour": 0.4, "hill": 0.35, "meadow": 0.25}
    others = sum(
        share[site] * weight
        for site, mixture in STANDARD_WEARABLE.sites.items()
        for weight, device in mixture
        if device.spelling
    )
    assert others == pytest.approx(0.1)


def test_devices_are_drawn_as_often_as_their_weight() -> None:
    rng = np.random.default_rng(2)
    names = [STANDARD_WEARABLE.draw(rng, "hill").name for _ in range(4000)]
    # 4.5 standard errors of a share of 0.2 among 4000 are 0.028
    assert names.count("imperial-watch") / 4000 == pytest.approx(0.20, abs=0.03)
    assert {NEW_SITE_WEARABLE.draw(rng, "nowhere").name for _ in range(50)} == {"ear-clip", "bed-mat"}


@pytest.mark.parametrize(("wearable", "share"), [(STANDARD_WEARABLE, 0.25), (SKEWED_CLOCKS, 0.90)])
def test_as_many_clocks_are_more_than_a_minute_off_as_said(wearable: Wearable, share: float) -> None:
    rng, clocks = np.random.default_rng(3), wearable.elsewhere[0][1].clocks
    offsets = np.array([clocks.draw(rng).offset_s for _ in range(3000)])
    # Skewed: 0.85 that are never set, and of the rest those beyond one standard deviation: 0.85 + 0.15 * 0.317.
    assert np.mean(np.abs(offsets) > 60) == pytest.approx(share, abs=0.04)
    assert np.abs(offsets).max() < FURTHEST_S


def test_a_clock_by_hand() -> None:
    # 90 s ahead at the case, gaining 24 s a day: a day before the case it was 66 s ahead.
    clock = Clock(offset_s=90, drift_s_per_day=24)
    assert clock.shown_s(np.array([0.0, -24.0, -72.0])).tolist() == [90, -86400 + 66, -259200 + 18]


def test_dark_skin_reads_one_to_three_points_high_and_nothing_else(normal: dict[str, str]) -> None:
    light, dark = streams(normal, STANDARD_WEARABLE), streams(normal, STANDARD_WEARABLE, skin_type=6)
    # Less than the bias itself, because a sensor shows 100 at most.
    assert 1.0 < mean_of(dark, SPO2) - mean_of(light, SPO2) < 3.0
    for code in set(CODES) - {SPO2}:
        assert mean_of(dark, code) == mean_of(light, code)


def test_noisy_wearables_jump_more_lose_the_skin_more_and_rest_longer(normal: dict[str, str]) -> None:
    def jumps(streams: list[Stream]) -> float:
        beats = [stream.values[np.array(stream.codes) == HR] for stream in streams]
        return float(np.median([np.abs(np.diff(values)).mean() for values in beats]))

    def lost(streams: list[Stream]) -> float:
        return float(np.mean([(stream.values[np.array(stream.codes) == HR] == 0).mean() for stream in streams]))

    def longest_hole(streams: list[Stream]) -> float:
        return float(np.mean([np.diff(stream.times_h).max() for stream in streams]))

    clean, noisy = streams(normal, STANDARD_WEARABLE), streams(normal, NOISY_WEARABLE)
    assert jumps(noisy) > 1.5 * jumps(clean)
    assert lost(noisy) > 3 * lost(clean)
    assert longest_hole(noisy) > longest_hole(clean) + 1


def test_a_frozen_sensor_repeats_one_value_for_half_an_hour_or_longer(normal: dict[str, str]) -> None:
    def longest_run(stream: Stream) -> int:
        values = stream.values[np.array(stream.codes) == HR]
        changes = np.flatnonzero(np.diff(values) != 0)
        return int(np.diff(np.concatenate([[-1], changes, [len(values) - 1]])).max())

    # 0.3 of the noisy devices; five equal readings in a row hardly happen by chance at a noise of 5 /min.
    frozen = np.mean([longest_run(stream) >= 5 for stream in streams(normal, NOISY_WEARABLE, 120)])
    assert 0.08 < frozen < 0.4


@pytest.mark.parametrize("wearable", PRESETS, ids=lambda w: w.profile)
def test_values_are_in_the_sensors_range_or_lost(normal: dict[str, str], wearable: Wearable) -> None:
    for stream in streams(normal, wearable, 12):
        for code, value in zip(stream.codes, stream.values.tolist(), strict=True):
            assert CHANNELS[code].low <= value <= CHANNELS[code].high or (value == 0 and code not in {"8310-5"})
