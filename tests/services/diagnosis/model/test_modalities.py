from __future__ import annotations

import pytest

from services.diagnosis.model.modalities import PATTERNS, mask_of, pattern_name, subsets


def test_four_modalities_have_fifteen_patterns() -> None:
    assert PATTERNS == (
        "image",
        "note",
        "vitals",
        "tabular",
        "image+note",
        "image+vitals",
        "image+tabular",
        "note+vitals",
        "note+tabular",
        "vitals+tabular",
        "image+note+vitals",
        "image+note+tabular",
        "image+vitals+tabular",
        "note+vitals+tabular",
        "image+note+vitals+tabular",
    )


def test_a_pattern_is_named_in_one_order() -> None:
    assert pattern_name(["vitals", "image"]) == "image+vitals"


def test_the_mask_says_which_are_there() -> None:
    assert mask_of("image+vitals") == (True, False, True, False)


def test_nothing_is_no_pattern() -> None:
    with pytest.raises(ValueError, match="non-empty"):
        pattern_name([])


def test_subsets_of_two_are_three() -> None:
    assert subsets(("note", "vitals")) == (("note",), ("vitals",), ("note", "vitals"))
