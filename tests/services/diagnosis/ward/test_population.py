"""Persons are drawn as the population says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from services.diagnosis.ward.population import Person, Population

DRAWS = 30_000


@pytest.fixture(scope="module")
def persons() -> list[Person]:
    rng = np.random.default_rng(1)
    return [Population(female=0.4).draw(rng) for _ in range(DRAWS)]


def close(seen: float, expected: float) -> bool:
    return bool(abs(seen - expected) < 4.5 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12)


def test_ages_and_sexes_come_as_often_as_their_exact_probabilities(persons: list[Person]) -> None:
    came = Counter((person.age_years, person.sex) for person in persons)
    exact = list(Population(female=0.4).ages_and_sexes())
    assert sum(probability for _, probability in exact) == pytest.approx(1)
    for person, probability in exact:
        assert close(came[person.age_years, person.sex] / DRAWS, probability), person


def test_the_reference_age_by_the_normal_table() -> None:
    # 62 or 63 years, of N(62, 16): Φ(1/16) - Φ(0) = 0.0249 for 62
    assert sum(p for person, p in Population().ages_and_sexes() if person.age_years == 62) == pytest.approx(
        0.0249, abs=1e-4
    )


def test_skin_types_and_sites_come_as_stated(persons: list[Person]) -> None:
    skins, sites = Counter(p.skin_type for p in persons), Counter(p.site for p in persons)
    for skin, expected in enumerate(Population().skin_types, start=1):
        assert close(skins[skin] / DRAWS, expected)
    for site, expected in Population().sites.items():
        assert close(sites[site] / DRAWS, expected)
