"""The posterior is Bayes' rule: by hand, by counting, and by its own calibration on the whole ward."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from services.diagnosis.ward import oracle
from services.diagnosis.ward.model import Deterioration, Finding, Latents, Modality, SynergyPair, WardModel, sample
from services.diagnosis.ward.tables import WARD

DRAWS = 12_000


@pytest.fixture(scope="module")
def small() -> WardModel:
    """Two diagnoses, one plain finding, one pair that agrees in the first and disagrees in the second."""
    member = np.tile([0.2, 0.4, 0.4], (2, 1))
    return WardModel(
        prior=np.array([0.3, 0.7]),
        findings=(
            Finding("spot", "image", ("absent", "present"), np.array([[0.2, 0.8], [0.9, 0.1]])),
            Finding("band", "image", ("absent", "left", "right"), member),
            Finding("pain", "note", ("absent", "left", "right"), member),
        ),
        pairs=(SynergyPair("band", "pain", (0.8, 0.8), np.array([0.9, 0.2])),),
        deterioration=Deterioration(np.array([0.0, 0.0]), {}),
    )


@pytest.fixture(scope="module")
def drawn() -> list[Latents]:
    rng = np.random.default_rng(3)
    return [sample(WARD, rng) for _ in range(DRAWS)]


def test_one_finding_by_hand(small: WardModel) -> None:
    posterior = oracle.posterior(small, {"spot": "present", "band": "absent", "pain": "absent"}, ("image",))
    np.testing.assert_allclose(posterior, [0.24 / 0.31, 0.07 / 0.31])


def test_a_pair_by_hand(small: WardModel) -> None:
    # prior x p(spot) x agreement: 0.3 x 0.2 x 0.9 = 0.054 against 0.7 x 0.9 x 0.2 = 0.126
    posterior = oracle.posterior(small, {"spot": "absent", "band": "left", "pain": "left"}, ("image", "note"))
    np.testing.assert_allclose(posterior, [0.3, 0.7])


def test_half_a_pair_says_nothing(small: WardModel) -> None:
    posterior = oracle.posterior(small, {"spot": "absent", "band": "left", "pain": "left"}, ("note",))
    np.testing.assert_allclose(posterior, small.prior)


def test_posterior_of_every_cell_of_a_small_ward_is_what_counting_gives(small: WardModel) -> None:
    rng = np.random.default_rng(4)
    drawn = [sample(small, rng) for _ in range(20_000)]
    cells: Counter[tuple[tuple[str, ...], int]] = Counter((tuple(p.findings.values()), p.label) for p in drawn)
    for values in {values for values, _ in cells}:
        total = cells[values, 0] + cells[values, 1]
        expected = oracle.posterior(small, dict(zip(drawn[0].findings, values, strict=True)), ("image", "note"))[0]
        error = np.sqrt(expected * (1 - expected) / total)
        assert abs(cells[values, 0] / total - expected) < 4.5 * error + 1 / total, values


@pytest.mark.parametrize("pattern", oracle.PATTERNS, ids=oracle.pattern_key)
def test_stated_probabilities_are_frequencies_in_every_pattern(
    drawn: list[Latents], pattern: tuple[Modality, ...]
) -> None:
    stated = np.array([oracle.posterior(WARD, patient.findings, pattern) for patient in drawn])
    came = np.eye(8)[[patient.label for patient in drawn]]
    for low in np.arange(0, 1, 0.1):
        chosen = (stated >= low) & (stated < low + 0.1)
        n = chosen.sum()
        if n >= 200:
            spread = np.sqrt((stated[chosen] * (1 - stated[chosen])).sum()) / n
            assert abs(came[chosen].mean() - stated[chosen].mean()) < 4.5 * spread + 1 / n, low


def test_every_pattern_has_a_posterior_that_sums_to_one(drawn: list[Latents]) -> None:
    keys = {"image", "note", "vitals", "image+note", "image+vitals", "note+vitals", "image+note+vitals"}
    for patient in drawn[:50]:
        posteriors = oracle.posteriors(WARD, patient.findings)
        assert posteriors.keys() == keys
        assert [sum(posterior) for posterior in posteriors.values()] == pytest.approx([1] * 7)


def test_all_three_modalities_are_needed_and_enough(drawn: list[Latents]) -> None:
    right: Counter[str] = Counter()
    for patient in drawn[:4000]:
        for key, posterior in oracle.posteriors(WARD, patient.findings).items():
            right[key] += int(np.argmax(posterior)) == patient.label
    assert 0.85 < right["image+note+vitals"] / 4000 < 0.92
    assert all(0.45 < right[modality] / 4000 < 0.65 for modality in ("image", "note", "vitals"))


def test_the_deterioration_probability_is_its_frequency(drawn: list[Latents]) -> None:
    stated = np.array([oracle.deterioration_probability(WARD, patient.findings) for patient in drawn])
    came = np.array([patient.deterioration for patient in drawn])
    for low in np.arange(0, 1, 0.1):
        chosen = (stated >= low) & (stated < low + 0.1)
        if chosen.sum() >= 100:
            spread = np.sqrt((stated[chosen] * (1 - stated[chosen])).sum()) / chosen.sum()
            assert abs(came[chosen].mean() - stated[chosen].mean()) < 4.5 * spread
