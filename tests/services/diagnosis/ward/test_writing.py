"""Styles are drawn from their manners, and the presets write as they are named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.ward import phrases
from services.diagnosis.ward.chance import Chance, draw_chances
from services.diagnosis.ward.conditions import STANDARD
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.population import SITES
from services.diagnosis.ward.render_note import Note
from services.diagnosis.ward.writing import (
    COPIED_FORWARD,
    NEW_SITE_WRITING,
    SECTION_ORDERS,
    STANDARD_WRITING,
    TERSE,
    Writing,
)

PRESETS = [STANDARD_WRITING, TERSE, COPIED_FORWARD, NEW_SITE_WRITING]


def notes(writing: Writing, n: int = 80) -> list[Note]:
    conditions = replace(STANDARD, writing=writing)
    return [generate_patient(12, index, conditions=conditions).note for index in range(n)]


def headings_of(writing: Writing) -> set[str]:
    mixtures = (*writing.sites.values(), writing.elsewhere)
    return {key for mixture in mixtures for _, manner in mixture for key in manner.headings}


@pytest.mark.parametrize("writing", PRESETS, ids=lambda w: w.profile)
def test_weights_sum_to_one_and_names_exist(writing: Writing) -> None:
    for mixture in (*writing.sites.values(), writing.elsewhere):
        assert sum(weight for weight, _ in mixture) == pytest.approx(1)
        for _, manner in mixture:
            assert sum(weight for weight, _ in manner.forms) == pytest.approx(1)
            assert {form for _, form in manner.forms} <= phrases.CUES.keys()
            assert set(manner.headings) <= phrases.HEADINGS.keys()
            assert set(manner.orders) <= SECTION_ORDERS.keys()


@pytest.mark.parametrize("order", SECTION_ORDERS.values(), ids=SECTION_ORDERS)
def test_every_order_has_the_sections_that_carry_findings(order: tuple[str, ...]) -> None:
    assert set(phrases.SECTIONS.values()) <= set(order)
    assert len(set(order)) == len(order)
    assert all(set(order) <= headings.keys() for name, headings in phrases.HEADINGS.items() if name != "none")


def test_every_site_has_its_manners() -> None:
    assert STANDARD_WRITING.sites.keys() == set(SITES)


def test_terse_notes_are_less_than_half_as_long() -> None:
    usual, terse = (np.mean([len(note.text) for note in notes(w)]) for w in (STANDARD_WRITING, TERSE))
    assert terse < 0.5 * usual


def test_a_copied_block_makes_most_notes_state_something_twice() -> None:
    def repeating(writing: Writing) -> float:
        return float(np.mean([len(note.spans) > len({span[2] for span in note.spans}) for note in notes(writing)]))

    assert repeating(COPIED_FORWARD) > 0.8
    assert repeating(STANDARD_WRITING) < 0.25
    assert repeating(TERSE) == 0


def test_a_new_site_has_headings_that_no_other_has() -> None:
    assert not headings_of(NEW_SITE_WRITING) & headings_of(STANDARD_WRITING)


def test_chance_is_what_it_says() -> None:
    chance = draw_chances(np.random.default_rng(1), [str(i) for i in range(4000)])
    drawn = [one.weighted(((0.2, "a"), (0.5, "b"), (0.3, "c"))) for one in chance.values()]
    # 4.5 standard errors of a share of 0.5 among 4000 are 0.036
    assert [drawn.count(name) / 4000 for name in "abc"] == pytest.approx([0.2, 0.5, 0.3], abs=0.036)
    assert {one.integer(2, 4) for one in chance.values()} == {2, 3, 4}
    assert sum(one.happens(0.25) for one in chance.values()) / 4000 == pytest.approx(0.25, abs=0.036)
    assert all(2 <= one.uniform(2, 3) < 3 for one in chance.values())


def test_chance_by_hand() -> None:
    chance = Chance([0.0, 0.5, 0.99])
    assert chance.some("abcd", 3) == ["a", "c", "d"]  # first of four, second of bcd, last of bd
    assert chance.pick("xy") == "x"  # the row begins anew
    assert chance.some("ab", 5) == ["b", "a"]
