"""How far a shadow says the same as the bundle beside which it ran, from the entries about its predictions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Z = 1.959963984540054
"""Two-sided 95 %."""


@dataclass(frozen=True)
class Share:
    """A proportion with its 95 % interval (Wilson 1927)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """A shadow beside one bundle."""

    beside: str
    """Digest of the bundle whose results were released."""
    n: int
    same_leading: Share
    """Cases with the same first diagnosis, or of which both abstained."""
    same_set: Share
    """Cases with the same prediction set."""
    mean_difference: float
    """Of the greatest difference of a probability in each case."""
    greatest_difference: float


def agreements(details: Iterable[Mapping[str, Any]]) -> list[Agreement]:
    """By the bundle beside which the shadow ran, the most cases first."""
    by_bundle: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in details:
        by_bundle[one["beside"]].append(one)
    found = [_agreement(beside, cases) for beside, cases in by_bundle.items()]
    return sorted(found, key=lambda one: (-one.n, one.beside))


def share(count: int, n: int) -> Share:
    """`count` of `n`, n > 0."""
    p, z2 = count / n, Z * Z
    middle, width = p + z2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Share(p, max((middle - width) / (1 + z2 / n), 0.0), min((middle + width) / (1 + z2 / n), 1.0))


def _agreement(beside: str, cases: list[Mapping[str, Any]]) -> Agreement:
    differences = [float(case["greatestDifference"]) for case in cases]
    return Agreement(
        beside=beside,
        n=len(cases),
        same_leading=share(sum(case["sameLeading"] for case in cases), len(cases)),
        same_set=share(sum(case["sameSet"] for case in cases), len(cases)),
        mean_difference=math.fsum(differences) / len(cases),
        greatest_difference=max(differences),
    )
