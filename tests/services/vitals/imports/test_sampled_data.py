"""SampledData: value = origin + factor · datum, `period` milliseconds apart (FHIR R4 section 2.24.0.8)."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.vitals.imports.reading import read_file
from tests.services.vitals.imports.test_fhir import as_bytes, coded, observation, quantity

START = "2026-03-14T08:30:00+00:00"


def series(data: str, **changed: Any) -> bytes:
    sampled = {"origin": quantity(0, "%"), "period": 1000, "factor": 0.1, "dimensions": 1, "data": data, **changed}
    sampled = {name: value for name, value in sampled.items() if value is not None}
    resource = observation(code=coded("59408-5"), valueQuantity=None, valueSampledData=sampled)
    return as_bytes({**resource, "effectiveDateTime": START})


def test_a_series_is_one_sample_for_each_value() -> None:
    found = read_file(series("971 968 -0 1000"))
    assert [sample.value for sample in found.samples] == [97.1, 96.8, 0, 100]
    assert [sample.effective.second for sample in found.samples] == [0, 1, 2, 3]


def test_places_without_a_value_are_told_and_the_clock_goes_on() -> None:
    found = read_file(series("971 E U L x 970"))
    assert found.rejects == [(f"/valueSampledData/data, value {n}", "value") for n in (2, 3, 4, 5)]
    assert [sample.effective.second for sample in found.samples] == [0, 5]


def test_factor_is_one_where_it_is_left_out_and_origin_is_added() -> None:
    assert read_file(series("1 2", factor=None, origin=quantity(90, "%"))).values == [("59408-5", 91), ("59408-5", 92)]


def test_a_series_over_a_period_begins_at_its_start() -> None:
    sampled = {"origin": quantity(0, "/min"), "period": 60_000, "dimensions": 1, "data": "70 71"}
    period = {"start": START, "end": "2026-03-14T09:00:00+00:00"}
    changed = observation(effectiveDateTime=None, effectivePeriod=period, valueQuantity=None, valueSampledData=sampled)
    assert [s.effective.minute for s in read_file(as_bytes(changed)).samples] == [30, 31]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"dimensions": 2}, "valueSampledData.dimensions"),
        ({"period": 0}, "valueSampledData.period"),
        ({"period": None}, "valueSampledData.period"),
        ({"origin": {"code": "%"}}, "valueSampledData.origin.value"),
        ({"factor": "2"}, "valueSampledData.factor"),
        ({"data": None}, "valueSampledData.data"),
        ({"origin": quantity(0, "mm[Hg]"), "data": "97"}, "unit"),
        ({"period": 1e300, "data": "97 97"}, "effective"),
    ],
)
def test_a_malformed_series_is_one_reject(changed: dict[str, Any], field: str) -> None:
    found = read_file(series(**{"data": "971", **changed}))
    assert found.fields == [field]


@given(
    values=st.lists(st.decimals(2, 100, places=1), min_size=1, max_size=50),
    period=st.integers(1, 10_000_000),
    origin=st.integers(-50, 50),
)
def test_what_is_written_as_a_series_is_read_back(values: list[Any], period: int, origin: int) -> None:
    data = " ".join(str(int((value - origin) * 10)) for value in values)
    found = read_file(series(data, period=period, origin=quantity(origin, "%")))
    start = datetime.fromisoformat(START)
    expected = [(float(v), start + timedelta(milliseconds=n * period)) for n, v in enumerate(values)]
    if expected[-1][1].isoformat() < "2026-03-15T12":
        assert [(sample.value, sample.effective) for sample in found.samples] == expected


def test_a_bedside_monitor_s_series_is_read_second_by_second(vitals_data: Path) -> None:
    # Eight minutes at 1 Hz each; where the monitor gave no value the field is blank, and the series has an E.
    paths = sorted((vitals_data / "icu-monitor").glob("bidmc_*_Numerics.csv"))
    assert len(paths) == 27
    for path in paths:
        with path.open() as file:
            column = [row["SpO2"].strip() for row in csv.DictReader(file, skipinitialspace=True)]
        blanks = [n for n, value in enumerate(column) if value in ("", "NaN")]
        data = " ".join("E" if n in blanks else str(round(float(value) * 10)) for n, value in enumerate(column))
        found = read_file(series(data))
        assert len(found.samples) == len(column) - len(blanks)
        assert [place for place, _ in found.rejects] == [f"/valueSampledData/data, value {n + 1}" for n in blanks]
        begin = datetime.fromisoformat(START)
        read = {(sample.effective - begin).seconds: sample.value for sample in found.samples}
        assert read == {n: float(value) for n, value in enumerate(column) if n not in blanks}
