"""Times, ages and sexes out of headers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydicom.dataset import Dataset

from services.imaging.dicom.attributes import effective_time, patient_age_years, patient_sex

RECEIVED = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)


def header(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"AcquisitionDateTime": "20240131081502.25+0100"}, datetime(2024, 1, 31, 7, 15, 2, 250000, UTC)),
        (
            {"AcquisitionDateTime": "20240131081502", "TimezoneOffsetFromUTC": "-0430"},
            datetime(2024, 1, 31, 12, 45, 2, 0, UTC),
        ),
        ({"AcquisitionDate": "20240131", "AcquisitionTime": "0815"}, datetime(2024, 1, 31, 8, 15, tzinfo=UTC)),
        ({"ContentDate": "20240131", "ContentTime": "081559.9"}, datetime(2024, 1, 31, 8, 15, 59, 900000, UTC)),
        ({"StudyDate": "2024.01.31", "StudyTime": "08:15:00"}, datetime(2024, 1, 31, 8, 15, tzinfo=UTC)),
        ({"StudyDate": "20240131"}, datetime(2024, 1, 31, tzinfo=UTC)),
        ({"StudyDate": "20161231", "StudyTime": "235960"}, datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ({"AcquisitionDate": "20243131", "StudyDate": "20240131"}, datetime(2024, 1, 31, tzinfo=UTC)),
        ({"AcquisitionDate": "20240102", "StudyDate": "20240101"}, datetime(2024, 1, 2, tzinfo=UTC)),
    ],
)
def test_the_acquisition_time_is_found(attributes: dict[str, str], expected: datetime) -> None:
    assert effective_time(header(**attributes), RECEIVED)[0] == expected


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({}, "no acquisition time"),
        ({"StudyDate": "20240601", "StudyTime": "140000"}, "future"),
        ({"StudyDate": "19700101"}, "1990"),
        ({"StudyDate": "garbage"}, "no acquisition time"),
    ],
    ids=["absent", "future", "1970", "unreadable"],
)
def test_a_wrong_clock_gives_the_time_of_receipt_and_says_so(attributes: dict[str, str], word: str) -> None:
    moment, doubts = effective_time(header(**attributes), RECEIVED)
    assert moment == RECEIVED
    assert word in doubts["clock"]


def test_less_than_an_hour_ahead_is_no_wrong_clock() -> None:
    ahead = header(StudyDate="20240601", StudyTime="124500", TimezoneOffsetFromUTC="+0000")
    assert effective_time(ahead, RECEIVED) == (datetime(2024, 6, 1, 12, 45, tzinfo=UTC), {})


def test_a_missing_zone_is_said() -> None:
    _, doubts = effective_time(header(StudyDate="20240131", StudyTime="080000"), RECEIVED)
    assert set(doubts) == {"timeZone"}


@pytest.mark.parametrize(
    ("attributes", "years"),
    [
        ({"PatientAge": "064Y"}, 64.0),
        ({"PatientAge": "006M"}, 0.5),
        ({"PatientAge": "010D"}, 0.03),
        ({"PatientBirthDate": "19640601"}, 60.0),
        ({"PatientAge": "62", "PatientBirthDate": "20300101"}, None),
        ({}, None),
    ],
)
def test_age_in_years(attributes: dict[str, str], years: float | None) -> None:
    assert patient_age_years(header(**attributes), RECEIVED) == years


@pytest.mark.parametrize(("written", "sex"), [("F", "F"), ("m ", "M"), ("O", "O"), ("", None), ("X", None)])
def test_sex(written: str, sex: str | None) -> None:
    assert patient_sex(header(PatientSex=written)) == sex
