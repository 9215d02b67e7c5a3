"""FIT files of real devices, damaged ones too, and messages of the profile that those do not hold."""

from __future__ import annotations

import csv
import itertools
import math
import random
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.vitals.derived.domain import Evidence
from services.vitals.derived.heart import variability
from services.vitals.domain import Point
from tests.services.vitals.imports.reading import read_file
from tests.support.fit_files import (
    HRV,
    MONITORING,
    RECORD,
    RESPIRATION,
    SPO2,
    TIMESTAMP,
    UINT8,
    UINT16,
    UINT32,
    fit_file,
)

AT = datetime(2026, 3, 14, 8, 30, tzinfo=UTC)
SECONDS = int((AT - datetime(1989, 12, 31, tzinfo=UTC)).total_seconds())
NOW = (TIMESTAMP, UINT32, SECONDS)


def test_heart_rates_of_records_are_samples() -> None:
    content = fit_file([(RECORD, [(TIMESTAMP, UINT32, SECONDS + n), (3, UINT8, 60 + n)]) for n in range(3)])
    found = read_file(content)
    assert found.values == [("8867-4", 60), ("8867-4", 61), ("8867-4", 62)]
    assert (found.samples[0].effective, found.samples[0].device) == (AT, "garmin 4711")


def test_saturation_and_respiration_of_the_profile_are_samples() -> None:
    # Profile: spo2_data.reading_spo2 is field 0 in percent; respiration_rate.respiration_rate has scale 100.
    found = read_file(fit_file([(SPO2, [NOW, (0, UINT8, 96)]), (RESPIRATION, [NOW, (0, (0x83, "h"), 1450)])]))
    assert found.values == [("59408-5", 96), ("9279-1", 14.5)]


def test_short_time_stamps_of_monitoring_go_on_from_the_last_whole_one() -> None:
    # Profile: monitoring.timestamp_16 is field 26, heart_rate 27. The low 16 bits have run over between the two.
    low = (SECONDS + 40_000) & 0xFFFF
    found = read_file(
        fit_file([(MONITORING, [NOW, (27, UINT8, 50)]), (MONITORING, [(26, UINT16, low), (27, UINT8, 51)])])
    )
    assert [(s.effective - AT).total_seconds() for s in found.samples] == [0, 40_000]


def beats(*milliseconds: int) -> tuple[int, list[tuple[int, tuple[int, str], list[int]]]]:
    """An hrv message: field 0, time, in thousandths of a second; it has room for five."""
    return HRV, [(0, UINT16, [*milliseconds, *[0xFFFF] * (5 - len(milliseconds))])]


def record(second: int) -> tuple[int, list[tuple[int, tuple[int, str], int]]]:
    """A record at a second, without a heart rate."""
    return RECORD, [(TIMESTAMP, UINT32, SECONDS + second), (5, UINT32, second)]


def test_beats_stand_one_interval_apart_up_to_the_time_beside_them() -> None:
    found = read_file(fit_file([record(4), beats(800, 820, 780, 810, 790), record(8), beats(805, 795, 0xFFFF)]))
    assert found.values == [("8637-1", n) for n in (800, 820, 780, 810, 790, 805, 795)]
    times = [(sample.effective - AT) / timedelta(milliseconds=1) for sample in found.samples]
    assert times == [800, 1620, 2400, 3210, 4000, 4805, 5600]
    assert {sample.device for sample in found.samples} == {"garmin 4711"}


def test_after_lost_beats_the_line_begins_anew() -> None:
    found = read_file(fit_file([record(2), beats(1000, 1000), record(60), beats(1000, 900), record(61), beats(1100)]))
    assert [(s.effective - AT) / timedelta(seconds=1) for s in found.samples] == [1, 2, 59.1, 60, 61.1]


def test_beats_are_what_variability_is_derived_from() -> None:
    clean = [800, 820, 780, 810, 790, 805]
    found = read_file(fit_file([record(4), beats(*clean[:5]), record(5), beats(clean[5])]))
    points = [Point(s.code, s.value, s.unit, s.effective, s.device) for s in found.samples]
    rmssd, sdnn = variability(Evidence(AT + timedelta(minutes=1), points))
    steps = [b - a for a, b in itertools.pairwise(clean)]
    assert rmssd.value == pytest.approx(math.sqrt(sum(step**2 for step in steps) / len(steps)))
    assert sdnn.value == pytest.approx(statistics.stdev(clean))


def test_beats_without_a_time_beside_them_are_told() -> None:
    found = read_file(fit_file([beats(800, 810)]))
    assert (found.samples, found.fields) == ([], ["effective", "effective"])
    assert read_file(fit_file([record(1), beats()])).ignored == 3


def test_the_profile_s_invalid_value_is_no_measurement() -> None:
    found = read_file(fit_file([(RECORD, [NOW, (3, UINT8, 0xFF)])]))
    assert (found.samples, found.rejects) == ([], [])


def test_a_device_without_a_clock_is_told() -> None:
    found = read_file(fit_file([(RECORD, [(TIMESTAMP, UINT32, 17_217_869), (3, UINT8, 93)])]))
    assert found.fields == ["effective"]


def test_what_decodes_before_the_damage_is_kept() -> None:
    content = fit_file([(RECORD, [(TIMESTAMP, UINT32, SECONDS + n), (3, UINT8, 60)]) for n in range(50)])
    found = read_file(content[:-200])
    assert 30 < len(found.samples) < 50
    assert found.fields == ["file"]
    flipped = read_file(content[:-1] + bytes([content[-1] ^ 1]))
    assert (len(flipped.samples), flipped.fields) == (50, ["file"])


def test_random_damage_never_breaks_the_reader() -> None:
    chance, good = random.Random(5), fit_file([(RECORD, [NOW, (3, UINT8, 60)]), beats(800, 810)] * 20)
    for _ in range(300):
        content = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(12, len(content))] = chance.randrange(256)
        found = read_file(bytes(content))
        assert len(found.samples) < len(good)


def test_real_files_give_what_another_parser_found(vitals_data: Path) -> None:
    with (vitals_data / "wearable-fit" / "files.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    for row in rows:
        found = read_file((vitals_data / "wearable-fit" / row["file"]).read_bytes())
        expected = int(row["heart_rate_samples"])
        without_time = expected if "no absolute time" in row["first_hr_utc"] else 0
        assert len(found.samples) == expected - without_time, row["file"]
        assert found.fields == ["effective"] * without_time + ["file"] * bool(row["defect"]), row["file"]


def test_a_real_activity_has_the_mean_and_extremes_of_its_table(vitals_data: Path) -> None:
    found = read_file((vitals_data / "wearable-fit" / "20170518-191602-1740899583.fit").read_bytes())
    values = [sample.value for sample in found.samples]
    assert (min(values), max(values)) == (80, 179)
    assert sum(values) / len(values) == pytest.approx(131.42, abs=0.005)
    assert found.samples[0].effective == datetime(2017, 5, 18, 16, 37, 30, tzinfo=UTC)
