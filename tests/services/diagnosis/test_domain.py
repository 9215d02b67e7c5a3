"""Rules that need no database."""

from __future__ import annotations

import pytest

from services.diagnosis.domain import backoff_s, is_snomed_id
from shared.codes import DIAGNOSES


@pytest.mark.parametrize("code", [coding.code for coding in DIAGNOSES])
def test_published_snomed_codes_have_the_form_of_one(code: str) -> None:
    assert is_snomed_id(code)


@pytest.mark.parametrize(
    "code",
    [
        "233604008",  # wrong check digit
        "233640007",  # two digits exchanged, which a Verhoeff digit betrays
        "0233604007",
        "23360",
        "J18.9",
        "",
        "2336040072336040072",
        "２３３６０４００７",  # digits, but not ASCII ones
    ],
)
def test_what_is_no_snomed_code_is_told_from_one(code: str) -> None:
    assert not is_snomed_id(code)


def test_retries_wait_twice_as_long_each_time_up_to_half_a_minute() -> None:
    assert [backoff_s(n) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]
