"""Exact Shapley values over modalities: four have sixteen subsets, so nothing is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import factorial

Value = Mapping[frozenset[str], float]
"""Every subset of the players, the empty one included, and what it is worth."""


def shapley_values(value: Value, players: tuple[str, ...]) -> dict[str, float]:
    """The contribution of each player; together they sum to v(all) - v(none) (Shapley 1953)."""
    n = len(players)
    return {
        player: sum(
            factorial(len(rest)) * factorial(n - len(rest) - 1) / factorial(n) * (value[rest | {player}] - value[rest])
            for rest in _subsets(players, without=(player,))
        )
        for player in players
    }


def interaction_indices(value: Value, players: tuple[str, ...]) -> dict[str, float]:
    """Pairwise Shapley interaction indices (Grabisch & Roubens 1999), keyed `image+note`; positive is synergy."""
    n = len(players)
    return {
        f"{first}+{second}": sum(
            factorial(len(rest))
            * factorial(n - len(rest) - 2)
            / factorial(n - 1)
            * (value[rest | {first, second}] - value[rest | {first}] - value[rest | {second}] + value[rest])
            for rest in _subsets(players, without=(first, second))
        )
        for first, second in combinations(players, 2)
    }


ADDITIVE_BELOW = 0.1
"""Log-odds: interactions smaller than this share of the larger contribution, or than this in all, are none."""


def relation(interaction: float, first: float, second: float) -> str:
    """What two modalities are to each other, from their interaction index and their contributions.

    `synergistic`: together they say more than each beside the other; `redundant`: they say the same, so the second
    adds less; `conflicting`: they speak against each other and one changes the weight of the other; `additive`: none.
    """
    if abs(interaction) < ADDITIVE_BELOW * max(1.0, abs(first), abs(second)):
        return "additive"
    if first * second < 0 and min(abs(first), abs(second)) >= ADDITIVE_BELOW:
        return "conflicting"
    return "synergistic" if interaction * (first + second) > 0 else "redundant"


def _subsets(players: tuple[str, ...], *, without: tuple[str, ...]) -> list[frozenset[str]]:
    others = [player for player in players if player not in without]
    return [frozenset(chosen) for size in range(len(others) + 1) for chosen in combinations(others, size)]
