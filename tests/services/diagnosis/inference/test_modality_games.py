"""Known answers: a label whose dependence on the modalities is chosen, and what Shapley values must then be."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from services.diagnosis.inference.explanation import explain_modalities
from services.diagnosis.inference.prediction import ModalityExplanation
from services.diagnosis.inference.shapley import relation
from services.diagnosis.model.modalities import pattern_name, subsets
from shared.codes import DIAGNOSES

PRESENT = ("image", "note", "vitals")
SEEN = {"image": 1, "note": 0, "vitals": 1}
"""What the case shows in each modality: one fair bit."""


def explain(chance: dict[tuple[int, ...], float]) -> ModalityExplanation:
    """The explanation of label 0 by an exact Bayesian; `chance`: p(label 0 | the three bits), bits fair and independent
    unless a triple is left out."""
    members = {}
    for subset in subsets(PRESENT):
        fitting = [p for bits, p in chance.items() if all(bits[PRESENT.index(name)] == SEEN[name] for name in subset)]
        members[pattern_name(subset)] = np.array([[np.mean(fitting), 1 - np.mean(fitting)]])
    return explain_modalities(members, PRESENT, 0, float(np.mean(list(chance.values()))), DIAGNOSES)


def log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def adds_up(found: ModalityExplanation, p: float) -> None:
    assert found.base + sum(found.contributions.values()) == pytest.approx(log_odds(p), abs=1e-6)


def test_an_exclusive_or_is_shared_evenly_and_all_synergy() -> None:
    found = explain({bits: 0.95 if bits[0] != bits[1] else 0.05 for bits in product((0, 1), repeat=3)})
    adds_up(found, 0.95)
    half = log_odds(0.95) / 2
    assert found.contributions == pytest.approx({"image": half, "note": half, "vitals": 0.0}, abs=1e-9)
    assert found.interactions["image+note"] == pytest.approx(2 * half)
    # InterSHAP's reading: at least 95 % of what the pair adds is interaction.
    assert found.interactions["image+note"] >= 0.95 * sum(found.contributions.values())
    assert found.relations == {"image+note": "synergistic", "image+vitals": "additive", "note+vitals": "additive"}


def test_what_one_modality_alone_tells_is_its_own_and_nobody_interacts() -> None:
    found = explain({bits: 0.9 if bits[0] == 1 else 0.1 for bits in product((0, 1), repeat=3)})
    adds_up(found, 0.9)
    assert found.contributions == pytest.approx({"image": log_odds(0.9), "note": 0.0, "vitals": 0.0}, abs=1e-9)
    assert all(abs(index) <= 0.05 * log_odds(0.9) for index in found.interactions.values())
    assert set(found.relations.values()) == {"additive"}


def test_two_copies_of_the_same_bit_are_redundant() -> None:
    # The image and the vitals show the same bit, always.
    found = explain({bits: 0.9 if bits[0] else 0.1 for bits in product((0, 1), repeat=3) if bits[0] == bits[2]})
    adds_up(found, 0.9)
    half = log_odds(0.9) / 2
    assert found.contributions == pytest.approx({"image": half, "note": 0.0, "vitals": half}, abs=1e-9)
    assert found.interactions["image+vitals"] == pytest.approx(-2 * half)
    assert found.relations["image+vitals"] == "redundant"


@pytest.mark.parametrize(
    ("interaction", "first", "second", "expected"),
    [
        (0.5, 1.0, 1.0, "synergistic"),
        (-0.5, -1.0, -1.0, "synergistic"),
        (-0.5, 1.0, 1.0, "redundant"),
        (0.5, -1.0, -1.0, "redundant"),
        (0.5, 2.0, -1.0, "conflicting"),
        (0.05, 1.0, 1.0, "additive"),
        (0.25, 3.0, 1.0, "additive"),
    ],
)
def test_the_relation_of_a_pair(interaction: float, first: float, second: float, expected: str) -> None:
    assert relation(interaction, first, second) == expected
