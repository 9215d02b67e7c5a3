from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.diagnosis.model.preprocessing.note_age import BUCKETS, UNKNOWN, age_bucket, age_hours


@pytest.mark.parametrize(
    ("hours", "bucket"), [(-0.5, 1), (0, 1), (1, 2), (5.9, 2), (23, 3), (71, 4), (100, 5), (700, 6), (9000, 7)]
)
def test_a_day_matters_more_while_a_note_is_young(hours: float, bucket: int) -> None:
    assert age_bucket(hours) == bucket
    assert bucket < BUCKETS


def test_an_age_that_nobody_knows_has_its_own_bucket() -> None:
    assert age_bucket(None) == UNKNOWN


def test_an_age_counts_from_the_case_time() -> None:
    moment = datetime(2026, 5, 4, 12, tzinfo=UTC)
    assert age_hours(moment - timedelta(minutes=90), moment) == 1.5
