"""FIT files of real devices, damaged ones too, and messages of the profile that those do not hold."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.services.vitals.imports.reading import read_file
from tests.support.fit_files import (
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
    chance, good = random.Random(5), fit_file([(RECORD, [NOW, (3, UINT8, 60)])] * 20)
    for _ in range(300):
        content = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(12, len(content))] = chance.randrange(256)
        found = read_file(bytes(content))
        assert len(found.samples) <= 20


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
