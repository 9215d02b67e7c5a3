from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.diagnosis.inference.shapley import interaction_indices, shapley_values

PLAYERS = ("image", "note", "vitals")
SUBSETS = [frozenset(p for i, p in enumerate(PLAYERS) if code >> i & 1) for code in range(8)]


@given(st.lists(st.floats(-20, 20), min_size=8, max_size=8))
def test_contributions_sum_to_what_all_add_to_none(values: list[float]) -> None:
    value = dict(zip(SUBSETS, values, strict=True))
    total = sum(shapley_values(value, PLAYERS).values())
    assert abs(total - (value[SUBSETS[7]] - value[SUBSETS[0]])) < 1e-9


def test_the_glove_game_has_its_known_answer() -> None:
    # One left glove (image), two right ones: a pair is worth 1. Shapley: 2/3, 1/6, 1/6.
    value = {s: float("image" in s and len(s) > 1) for s in SUBSETS}
    shares = shapley_values(value, PLAYERS)
    assert [round(shares[p], 12) for p in PLAYERS] == [round(x, 12) for x in (2 / 3, 1 / 6, 1 / 6)]


def test_an_exclusive_or_is_all_interaction() -> None:
    # Only image and note together are worth 1: the interaction of the two is 1, every other is 0.
    value = {s: float({"image", "note"} <= s) for s in SUBSETS}
    assert interaction_indices(value, PLAYERS) == {"image+note": 1.0, "image+vitals": 0.0, "note+vitals": 0.0}


def test_a_sum_has_no_interactions() -> None:
    worth = {"image": 1.0, "note": 2.0, "vitals": -0.5}
    value = {s: sum(worth[p] for p in s) for s in SUBSETS}
    assert all(abs(index) < 1e-12 for index in interaction_indices(value, PLAYERS).values())
