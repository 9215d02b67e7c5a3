"""Entity tags: equal for equal answers to one reader, and understood however a client sends them."""

from __future__ import annotations

import pytest

from shared.conditional import entity_tag, still_holds

TAG = entity_tag("dr-a", {"items": [1]})


def test_a_tag_is_of_one_reader_and_one_content() -> None:
    assert entity_tag("dr-a", {"items": [1]}) == TAG
    assert len({TAG, entity_tag("dr-b", {"items": [1]}), entity_tag("dr-a", {"items": [2]})}) == 3


@pytest.mark.parametrize("sent", [TAG, TAG.removeprefix("W/"), f'"other", {TAG}', f'"other",{TAG} , "more"'])
def test_a_held_tag_is_found_however_it_is_sent(sent: str) -> None:
    assert still_holds(TAG, sent)


@pytest.mark.parametrize("sent", [None, "", "*", '""', '"other"', TAG.replace('"', ""), TAG[:-2] + '"'])
def test_nothing_else_holds(sent: str | None) -> None:
    assert not still_holds(TAG, sent)
