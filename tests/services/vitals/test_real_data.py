"""Real measurements from wearables and wards go in whole, and their known errors are told line by line."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from tests.services.vitals.conftest import in_words, send, stored

FITBIT_SAMPLES = 17_666
"""As the README of the data counts them."""


@pytest.fixture(scope="module")
def vitals_data(reference_data: Path) -> Path:
    directory = reference_data / "vitals"
    if not directory.is_dir():
        pytest.skip("the real vitals are not beside this checkout (../shared/data/vitals)")
    return directory


def fitbit_samples(directory: Path) -> Iterator[dict[str, Any]]:
    """The wearable's export: local time of day without a zone, beats per minute."""
    with next((directory / "wearable-fitbit").glob("heartrate*.csv")).open() as file:
        for row in csv.DictReader(file):
            local = datetime.strptime(row["Time"], "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=ZoneInfo("America/New_York"))
            yield {
                "patient": f"fitbit-{row['Id']}",
                "code": "8867-4",
                "value": int(row["Value"]),
                "unit": "{beats}/min",
                "effective": local.isoformat(),
                "device": "fitbit",
            }


def test_all_samples_of_a_wearable_go_in_once(client: TestClient, vitals_data: Path) -> None:
    samples = list(fitbit_samples(vitals_data))
    assert len(samples) == FITBIT_SAMPLES
    accepted, duplicates, rejected = in_words(send(client, samples))
    distinct = len({(s["effective"], s["value"]) for s in samples})
    assert (accepted, duplicates, rejected) == (distinct, FITBIT_SAMPLES - distinct, [])
    assert in_words(send(client, samples)) == (0, FITBIT_SAMPLES, [])


UNITS = {"HR": ("8867-4", "/min"), "RESP": ("9279-1", "/min"), "SpO2": ("59408-5", "%"), "PULSE": ("8889-8", "/min")}


def monitor_lines(path: Path) -> Iterator[str]:
    """A bedside monitor, second by second; where it gave no value the field is blank."""
    with path.open() as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            at = datetime(2026, 3, 14, 8).timestamp() + float(row["Time [s]"])
            effective = datetime.fromtimestamp(at, ZoneInfo("UTC")).isoformat()
            for name, (code, unit) in UNITS.items():
                value = row[name].strip()
                yield json.dumps(
                    {
                        "patient": path.stem,
                        "code": code,
                        "value": float(value) if value not in ("", "NaN") else None,
                        "unit": unit,
                        "effective": effective,
                        "device": name,
                    }
                )


def test_bedside_monitors_go_in_and_blanks_are_told(client: TestClient, vitals_data: Path) -> None:
    for path in sorted((vitals_data / "icu-monitor").glob("bidmc_*_Numerics.csv"))[:5]:
        lines = list(monitor_lines(path))
        blanks = [number for number, line in enumerate(lines, 1) if json.loads(line)["value"] is None]
        assert in_words(send(client, map(json.loads, lines))) == (len(lines) - len(blanks), 0, blanks)


ICU = {
    "HR": ("8867-4", "/min", 0, 350),
    "Temp": ("8310-5", "Cel", 20, 46),
    "SysABP": ("8480-6", "mm[Hg]", 0, 350),
    "DiasABP": ("8462-4", "mm[Hg]", 0, 250),
    "RespRate": ("9279-1", "/min", 0, 120),
}


def test_values_of_real_wards_that_no_body_has_are_kept_and_marked(client: TestClient, vitals_data: Path) -> None:
    samples: list[dict[str, Any]] = []
    expected, negative = Counter[str](), []
    with gzip.open(vitals_data / "icu-48h" / "records.csv.gz", "rt") as file:
        rows = (row for row in csv.DictReader(file) if row["Parameter"] in ICU)
        for number, row in enumerate(islice(rows, 60_000), 1):
            code, unit, low, high = ICU[row["Parameter"]]
            hours, minutes = map(int, row["Time"].split(":"))
            effective = f"2026-03-{10 + hours // 24}T{hours % 24:02}:{minutes:02}:00Z"
            value = float(row["Value"])
            sample = {"patient": row["RecordID"], "code": code, "value": value, "unit": unit, "effective": effective}
            if value < 0 and code != "8310-5":
                negative.append(number)
            elif sample not in samples[-200:]:
                expected["out-of-range"] += not low <= value <= high
                expected["no-signal"] += value == 0 and code != "8310-5"
            samples.append(sample)
    _, _, rejected = in_words(send(client, samples))
    assert rejected == negative
    found = Counter[str]()
    for patient in sorted({sample["patient"] for sample in samples}):
        found.update(flag for sample in stored(client, patient) for flag in sample["flags"])
    assert min(expected.values()) > 0
    assert {name: found[name] for name in expected} == expected
