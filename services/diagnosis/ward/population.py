"""Who comes to the ward: age, sex, skin type and site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import erf, sqrt

import numpy as np

SITES = ("harbour", "hill", "meadow")
NEW_SITE = "ridge"
"""A fourth site, unseen in training: only the shift `new-site` sends patients from there."""
YOUNGEST, OLDEST = 18, 96


@dataclass(frozen=True)
class Person:
    """What is known of a patient besides findings. Renderers may look at it; only age and sex say anything of y."""

    age_years: int
    sex: str
    """F or M."""
    skin_type: int
    """Fitzpatrick I-VI as 1-6: pulse oximeters read dark skin too high (Sjoding et al., NEJM 2020)."""
    site: str
    """One of `SITES`, or `NEW_SITE`: its scanners, its style of writing, its wearables."""


ANYONE = Person(60, "M", 3, "harbour")
"""For callers to whom the person does not matter."""


@dataclass(frozen=True)
class Population:
    """The distribution of persons; age, sex, skin type and site are independent."""

    age_mean: float = 62.0
    age_sd: float = 16.0
    female: float = 0.5
    skin_types: tuple[float, ...] = (0.1, 0.25, 0.25, 0.2, 0.12, 0.08)
    sites: dict[str, float] = field(default_factory=lambda: {"harbour": 0.4, "hill": 0.35, "meadow": 0.25})

    def draw(self, rng: np.random.Generator) -> Person:
        """One person; always the same number of random numbers."""
        age, female, skin, site = rng.normal(), rng.random(), rng.random(), rng.random()
        return Person(
            age_years=int(np.clip(self.age_mean + self.age_sd * age, YOUNGEST, OLDEST)),
            sex="F" if female < self.female else "M",
            skin_type=1 + min(int(np.searchsorted(np.cumsum(self.skin_types), skin, side="right")), 5),
            site=list(self.sites)[
                min(int(np.searchsorted(np.cumsum(list(self.sites.values())), site, side="right")), len(self.sites) - 1)
            ],
        )

    def ages_and_sexes(self) -> Iterator[tuple[Person, float]]:
        """Every age and sex with its probability, for exact expectations; skin type and site say nothing of y."""
        for age in range(YOUNGEST, OLDEST + 1):
            below = 0.0 if age == YOUNGEST else self._younger(age)
            probability = (1.0 if age == OLDEST else self._younger(age + 1)) - below
            yield Person(age, "F", 3, SITES[0]), probability * self.female
            yield Person(age, "M", 3, SITES[0]), probability * (1 - self.female)

    def _younger(self, age: float) -> float:
        return (1 + erf((age - self.age_mean) / (self.age_sd * sqrt(2)))) / 2
