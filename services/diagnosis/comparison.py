"""How far two results are apart, number by number. Nothing that is said of them quotes a value."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NAMED = 10
"""So many places of a difference are named."""


@dataclass(frozen=True)
class Difference:
    """What is not the same: numbers by how much at most, and where anything else differs."""

    greatest: float = 0.0
    places: tuple[str, ...] = ()
    """Paths of what differs otherwise than in a number, such as `diagnoses[0].code`."""

    def within(self, epsilon: float) -> bool:
        """Whether numbers alone differ, and by no more than that."""
        return not self.places and self.greatest <= epsilon


def difference(before: Any, after: Any) -> Difference:
    """Of two JSON values. Whole numbers and fractions are compared alike; true and false are no numbers."""
    gaps, places = [0.0], []
    for path, gap in _walk(before, after, ""):
        if gap is None:
            places.append(path or ".")
        else:
            gaps.append(gap)
    return Difference(max(gaps), tuple(places[:NAMED]))


def _walk(before: Any, after: Any, path: str) -> Iterator[tuple[str, float | None]]:
    if _is_number(before) and _is_number(after):
        gap = abs(before - after)
        yield path, gap if math.isfinite(gap) else None
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            if key in before and key in after:
                yield from _walk(before[key], after[key], f"{path}.{key}".lstrip("."))
            else:
                yield f"{path}.{key}".lstrip("."), None
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from _walk(*pair, f"{path}[{index}]")
    elif before != after or type(before) is not type(after):
        yield path, None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
