"""Chance that is drawn beforehand, so that what one part of a text uses up shifts nothing in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TypeVar

import numpy as np

WIDTH = 64
"""Uniform numbers for each part; one that needs more sees them again."""
T = TypeVar("T")


class Chance:
    """A row of uniform numbers, consumed one by one."""

    def __init__(self, uniforms: Iterable[float]) -> None:
        self._next = cycle(uniforms).__next__

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """From [low, high)."""
        return low + (high - low) * self._next()

    def happens(self, probability: float) -> bool:
        """Whether it does."""
        return self._next() < probability

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return low + int(self._next() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of them, each as likely."""
        return options[int(self._next() * len(options))]

    def weighted(self, options: Iterable[tuple[float, T]]) -> T:
        """One of (weight, option); weights sum to one."""
        options = tuple(options)
        left = self._next()
        for weight, option in options:
            left -= weight
            if left < 0:
                return option
        return options[-1][1]  # weights that round to a little less than one

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """So many different ones, in any order; all of them where there are not as many."""
        rest = list(options)
        return [rest.pop(int(self._next() * len(rest))) for _ in range(min(count, len(rest)))]


def draw_chances(rng: np.random.Generator, names: Sequence[str]) -> Mapping[str, Chance]:
    """One chance for each name; always the same random numbers for the same names."""
    return dict(zip(names, map(Chance, rng.random((len(names), WIDTH)).tolist()), strict=True))
