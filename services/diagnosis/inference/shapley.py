"""Exact Shapley values over modalities: with three there are eight subsets, so nothing is sampled."""

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


def shapley_weights(players: tuple[str, ...], player: str) -> dict[frozenset[str], float]:
    """Each coalition that holds `player`, and its weight in the player's Shapley value; the weights sum to 1."""
    n = len(players)
    return {
        rest | {player}: factorial(len(rest)) * factorial(n - len(rest) - 1) / factorial(n)
        for rest in _subsets(players, without=(player,))
    }


def _subsets(players: tuple[str, ...], *, without: tuple[str, ...]) -> list[frozenset[str]]:
    others = [player for player in players if player not in without]
    return [frozenset(chosen) for size in range(len(others) + 1) for chosen in combinations(others, size)]
