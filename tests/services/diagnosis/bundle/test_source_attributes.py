from __future__ import annotations

import pytest

from services.diagnosis.bundle.source_attributes import NOT_DONE, attribute_ids, source_attributes


def test_there_are_31_in_nine_categories_as_in_the_rule() -> None:
    # 45 CFR 170.315(b)(11)(iv)(B)(1)-(9), counted in 89 FR 1192: 4, 4, 2, 4, 2, 4, 5, 4, 2.
    names = attribute_ids()
    counts = [sum(name.startswith(f"{number}.") for name in names) for number in range(1, 10)]
    assert counts == [4, 4, 2, 4, 2, 4, 5, 4, 2]
    assert len(set(names)) == 31


def test_an_answer_that_gives_only_a_reason_counts_as_not_done() -> None:
    section = source_attributes({**dict.fromkeys(attribute_ids(), "yes"), "7.v": NOT_DONE + "no patients"})
    open_ones = [
        item["id"] for category in section["categories"] for item in category["attributes"] if not item["done"]
    ]
    assert open_ones == ["7.v"]


@pytest.mark.parametrize("text", ["", "  ", NOT_DONE])
def test_an_empty_answer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"4\.ii"):
        source_attributes({**dict.fromkeys(attribute_ids(), "yes"), "4.ii": text})


def test_a_missing_or_unknown_attribute_is_refused() -> None:
    answers = dict.fromkeys(attribute_ids(), "yes")
    with pytest.raises(ValueError, match=r"9\.iii"):
        source_attributes({**answers, "9.iii": "yes"})
    del answers["3.i"]
    with pytest.raises(ValueError, match=r"3\.i"):
        source_attributes(answers)
