"""Fitbit's heart rate: local times read in the zone that the request names."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.services.vitals.imports.reading import read_file


def takeout(*times: str, beats: Any = 71) -> bytes:
    return json.dumps([{"dateTime": time, "value": {"bpm": beats, "confidence": 2}} for time in times]).encode()


def test_a_local_time_is_read_in_its_zone() -> None:
    (sample,) = read_file(takeout("01/09/26 06:32:14"), zone="America/New_York").samples
    assert (sample.code, sample.value) == ("8867-4", 71)
    assert sample.effective == datetime(2026, 1, 9, 11, 32, 14, tzinfo=UTC)


@pytest.mark.parametrize("time", ["10/26/25 02:30:00", "03/30/25 02:30:00"])
def test_a_time_that_comes_twice_or_never_is_told_rather_than_guessed(time: str) -> None:
    # In Berlin clocks went back on 26 October 2025 and forward on 30 March, each at three or two in the morning.
    found = read_file(takeout(time, "10/26/25 04:00:00"), zone="Europe/Berlin")
    assert found.rejects == [("/0", "effective")]
    assert len(found.samples) == 1


@pytest.mark.parametrize("time", ["2026-01-09 06:32:14", "13/40/26 06:32:14", "", "06:32"])
def test_a_time_of_another_form_is_told(time: str) -> None:
    assert read_file(takeout(time)).fields == ["effective"]


def test_other_takeouts_are_no_vital_sign_known_here() -> None:
    steps = json.dumps([{"dateTime": "01/09/26 06:32:00", "value": "12"}] * 4).encode()
    assert read_file(steps).ignored == 4


def test_a_value_that_is_no_number_is_told() -> None:
    assert read_file(takeout("01/09/26 06:32:14", beats="71")).fields == ["value"]


def test_a_real_month_of_heart_rate_is_read_whole(vitals_data: Path) -> None:
    with next((vitals_data / "wearable-fitbit").glob("*.csv")).open() as file:
        rows = list(csv.DictReader(file))
    times = [datetime.strptime(row["Time"], "%m/%d/%Y %I:%M:%S %p") for row in rows]
    records = [
        {"dateTime": time.strftime("%m/%d/%y %H:%M:%S"), "value": {"bpm": int(row["Value"]), "confidence": 1}}
        for time, row in zip(times, rows, strict=True)
    ]
    found = read_file(json.dumps(records).encode(), zone="America/New_York")
    assert (len(found.samples), found.rejects) == (17_666, [])  # as the README counts them
    assert found.samples[0].value == int(rows[0]["Value"])
