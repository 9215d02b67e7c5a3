"""Who comes to the ward: age, sex, skin type, site; and which modalities are there at all."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SITES = ("harbour", "hill", "meadow")


@dataclass(frozen=True)
class Person:
    """What is known of a patient besides findings. Renderers may look at it; only age and sex say anything of y."""

    age_years: int
    sex: str
    """F or M."""
    skin_type: int
    """Fitzpatrick I-VI as 1-6: pulse oximeters read dark skin too high (Sjoding et al., NEJM 2020)."""
    site: str
    """One of `SITES`: its scanners, its style of writing, its wearables."""


ANYONE = Person(60, "M", 3, "harbour")
"""For callers to whom the person does not matter."""


@dataclass(frozen=True)
class Population:
    """The distribution of persons."""

    age_mean: float = 62.0
    age_sd: float = 16.0
    female: float = 0.5
    skin_types: tuple[float, ...] = (0.1, 0.25, 0.25, 0.2, 0.12, 0.08)
    sites: dict[str, float] = field(default_factory=lambda: {"harbour": 0.4, "hill": 0.35, "meadow": 0.25})

    def draw(self, rng: np.random.Generator) -> Person:
        """One person; always the same number of random numbers."""
        age, female, skin, site = rng.normal(), rng.random(), rng.random(), rng.random()
        return Person(
            age_years=int(np.clip(self.age_mean + self.age_sd * age, 18, 96)),
            sex="F" if female < self.female else "M",
            skin_type=1 + min(int(np.searchsorted(np.cumsum(self.skin_types), skin, side="right")), 5),
            site=list(self.sites)[
                min(int(np.searchsorted(np.cumsum(list(self.sites.values())), site, side="right")), len(self.sites) - 1)
            ],
        )


@dataclass(frozen=True)
class Missingness:
    """Which modalities a patient lacks. One always stays."""

    at_random: float = 0.0
    """Probability that a modality is missing, whoever the patient is."""
    by_diagnosis: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Modality -> probability of its absence given y: missing not at random."""
