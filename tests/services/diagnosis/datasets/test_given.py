"""Options from a command line are taken as what they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.diagnosis.datasets.base import DatasetError
from services.diagnosis.datasets.hospital import Hospital, HospitalOptions
from services.diagnosis.datasets.mimic import Mimic, MimicOptions
from services.diagnosis.datasets.registry import open_dataset


def test_text_becomes_numbers_switches_and_words(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    given = {"cache": str(cache), "hours": "2.5", "notes_within_days": 30, "official_split": "yes", "unit": "admission"}
    dataset = open_dataset("mimic", tmp_path, **given)
    expected = MimicOptions(hours=2.5, notes_within_days=30.0, official_split=True, unit="admission")
    assert dataset == Mimic(tmp_path, cache, expected)


def test_the_same_holds_for_a_hospital(tmp_path: Path) -> None:
    dataset = open_dataset("hospital", tmp_path, hours=6, timezone="Europe/Amsterdam")
    assert dataset == Hospital(tmp_path, options=HospitalOptions(hours=6.0, timezone="Europe/Amsterdam"))


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("mimic", "hours", "soon", "hours must be a number"),
        ("mimic", "hours", "0", "hours must be positive"),
        ("mimic", "unit", "ward", "unit must be one of ed, admission"),
        ("mimic", "official_split", "perhaps", "official_split must be true or false"),
        ("hospital", "timezone", "Middle/Earth", "is no IANA time zone"),
        ("hospital", "consent", "no", "has no option consent"),
    ],
)
def test_what_cannot_be_taken_is_named(tmp_path: Path, name: str, option: str, value: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(name, tmp_path, **{option: value})
