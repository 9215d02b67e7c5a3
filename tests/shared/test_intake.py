"""What every door asks of patients, times and JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import rfc3339
from shared.errors import FieldProblem
from shared.intake import NotStrictJson, patient_problem, read_time, strict_json

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timedelta(minutes=minutes))


@pytest.mark.parametrize("patient", ["1", "MRN-001", "Müller^Jörg", "患者 7", "x" * 64, "10.1/2@3", "a" + "\u0301"])
def test_identifiers_that_dicom_holds_are_taken(patient: str) -> None:
    assert patient_problem(patient) is None


@pytest.mark.parametrize(
    "patient", ["", " ", "\u2003", "a\\b", "a\tb", "a\x9fb", "a\u2028b", "\ud800", "x" * 65, "a ", " a"]
)
def test_identifiers_that_dicom_does_not_hold_are_named(patient: str) -> None:
    problem = patient_problem(patient)
    assert problem is not None
    assert problem.field == "patient"
    assert problem.fix


@given(st.datetimes(datetime(1990, 1, 2), datetime(2026, 3, 14), timezones=st.just(UTC)))
def test_times_read_back_as_they_were_written(moment: datetime) -> None:
    assert read_time("at", rfc3339(moment), NOW) == moment


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-14T08:30:00Z", datetime(2026, 3, 14, 8, 30, tzinfo=UTC)),
        ("2026-03-14t08:30:00z", datetime(2026, 3, 14, 8, 30, tzinfo=UTC)),
        ("2026-03-14 08:30:00.5+05:30", datetime(2026, 3, 14, 3, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-14T08:30:00.123456789-08:00", datetime(2026, 3, 14, 16, 30, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_spellings_of_rfc_3339_are_read(text: str, utc: datetime) -> None:
    assert read_time("at", text, NOW) == utc


@given(st.text(max_size=30))
def test_any_other_text_is_a_named_problem(text: str) -> None:
    found = read_time("at", text, NOW)
    assert isinstance(found, datetime) or (isinstance(found, FieldProblem) and found.field == "at" and found.fix)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
        max_leaves=10,
    )
)
def test_json_that_json_writes_is_read(value: object) -> None:
    import json

    assert strict_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=100))
def test_other_bytes_are_refused_by_name(content: bytes) -> None:
    try:
        strict_json(content)
    except NotStrictJson as error:
        said = str(error)
    else:
        return
    assert said


def test_refusals_never_quote_the_bytes() -> None:
    with pytest.raises(NotStrictJson) as refused:
        strict_json(b'{"patient": "Secret", "patient": "Secret"}')
    assert "Secret" not in str(refused.value)
