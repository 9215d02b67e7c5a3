"""Splits, shards and places."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from services.diagnosis.datasets.base import Place, Task, age_band, share_of, split_of
from shared.codes import COVID_19_PNEUMONIA, DIAGNOSES, NO_ACUTE_DISEASE, PNEUMONIA


def test_splits_are_sixty_twenty_twenty() -> None:
    counts = Counter(split_of("cohort", f"patient {k}") for k in range(10_000))
    # binomial standard deviations 49 and 40
    assert counts["train"] == pytest.approx(6000, abs=200)
    assert counts["calibration"] == pytest.approx(2000, abs=160)
    assert counts["test"] == pytest.approx(2000, abs=160)


@pytest.mark.parametrize(("patient", "split"), [("P1", "train"), ("P4", "calibration"), ("P21", "test")])
def test_a_split_stays_the_same_for_ever(patient: str, split: str) -> None:
    """By hand from `printf cohort/P1 | sha256sum`: 65.. of ff.. is 0.40, ac.. 0.67, fe.. 0.99."""
    assert split_of("cohort", patient) == split


def test_shards_share_the_items_out() -> None:
    shards = [list(share_of(range(10), (k, 3))) for k in range(3)]
    assert shards == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]


def test_a_shard_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="shard"):
        share_of([], (3, 3))


@pytest.mark.parametrize(("age", "band"), [(17.9, "0-17"), (18, "18-39"), (64, "40-64"), (79, "65-79"), (80, "80+")])
def test_ages_fall_into_bands(age: float, band: str) -> None:
    assert age_band(age) == {"age": band}


def test_an_unknown_age_is_in_no_band() -> None:
    assert age_band(None) == {}


@pytest.mark.parametrize("place", [Place(Path("a/cohort.csv"), 17), Place(Path("a/image.jpg"))])
def test_a_place_is_read_as_it_was_written(place: Place) -> None:
    assert Place.parse(str(place)) == place


PNEUMONIAS = Task(
    "pneumonia", ("none", "pneumonia"), "diagnosis", codes=((), (PNEUMONIA.code, COVID_19_PNEUMONIA.code))
)


def test_a_task_is_asked_in_the_labels_of_the_bundle_that_answers_it() -> None:
    assert PNEUMONIAS.asked_of(DIAGNOSES).groups == ((1, 2, 3, 4, 5, 6, 7), (0,))
    three = (NO_ACUTE_DISEASE, COVID_19_PNEUMONIA, PNEUMONIA)
    assert PNEUMONIAS.asked_of(three).groups == ((0,), (1, 2))


def test_a_bundle_without_a_label_for_a_class_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="no label that counts as pneumonia"):
        PNEUMONIAS.asked_of((NO_ACUTE_DISEASE,))
