from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.probes.faithfulness import (
    ALL,
    FRACTIONS,
    Curves,
    Effort,
    curves_of,
    figures_of,
    measure_faithfulness,
)
from services.diagnosis.evaluation.probes.perturb import units_of
from services.diagnosis.inference.prediction import Prediction
from tests.support.known_subject import GuessingSubject, KnownSubject, known_case, known_cases

EFFORT = Effort(orders=6, imputed_orders=3)
STEPS = len(FRACTIONS) + 2


@dataclass(frozen=True)
class Backwards(KnownSubject):
    """Exact explanations with the wrong sign."""

    def explain(self, case: CaseInput) -> Prediction:
        prediction = super().explain(case)
        why = prediction.explanation
        images = tuple(replace(i, grid=-i.grid) for i in why.images if i.grid is not None)
        notes = tuple(
            replace(n, spans=tuple(replace(s, contribution=-s.contribution) for s in n.spans)) for n in why.notes
        )
        vitals = tuple(replace(w, contribution=-w.contribution) for w in why.vitals)
        return replace(prediction, explanation=replace(why, images=images, notes=notes, vitals=vitals))


def test_the_area_of_a_single_word_is_as_calculated_by_hand() -> None:
    """One word carries everything: deleting it first leaves p0 from 1 % on, inserting it first gives p1 from 1 % on."""
    subject, case = KnownSubject(), replace(known_case().inputs, images=(), vitals=None)
    units = {"note": units_of(case, "note", "remove", seed=0)}
    why = subject.explain(case).explanation
    curves = curves_of(subject, case, why, 0, units, orders=2, rng=np.random.default_rng(0))["note"]
    p1, p0 = (float(1 / (1 + 19 * np.exp(-z))) for z in (3, 0))
    np.testing.assert_allclose(curves.deletion, [p1, *[p0] * (STEPS - 1)])
    np.testing.assert_allclose(curves.reverse, [*[p1] * (STEPS - 1), p0])
    figures = figures_of(curves)
    assert figures["deletion_gap_to_reverse"] == pytest.approx(0.99 * (p1 - p0))
    assert figures["comprehensiveness"] == pytest.approx(p1 - p0)
    assert figures["sufficiency"] == pytest.approx(0)


def test_figures_of_straight_lines() -> None:
    """Deletion falls to 0 at once, reverse keeps 1 to the end, random falls in a straight line: gaps of one half."""
    line = 1 - np.array([0, *FRACTIONS, 1])
    figures = figures_of(Curves(np.eye(STEPS)[0], 1 - np.eye(STEPS)[-1], np.stack([line, line])))
    assert figures["deletion_gap"] == pytest.approx(0.5 - 0.005)
    assert figures["insertion_gap"] == pytest.approx(0.5 - 0.005)
    assert figures["comprehensiveness"] == 1
    assert figures["comprehensiveness_random"] == pytest.approx(np.mean([0.01, 0.05, 0.1, 0.2, 0.5]))
    assert figures["sufficiency_random"] == pytest.approx(np.mean([0.99, 0.95, 0.9, 0.8, 0.5]))


def test_an_exact_explanation_beats_random_orders_in_every_case() -> None:
    found = measure_faithfulness(KnownSubject(), known_cases(6), seed=1, effort=EFFORT)
    assert found["deletion_beats_random"] == 1
    for scope in (found[ALL], found["image"], found["note"], found["vitals"], *found["imputed"].values()):
        assert scope["deletion_beats_random"] == scope["insertion_beats_random"] == 1
        assert scope["intervals"]["deletion_gap"]["low"] > 0
        assert scope["comprehensiveness_ratio"] > 2
    assert found[ALL]["intervals"]["deletion_gap"]["low"] > 0.25


def test_invented_explanations_are_caught() -> None:
    found = measure_faithfulness(GuessingSubject(), known_cases(12), seed=1, effort=EFFORT)
    assert found["deletion_beats_random"] < 0.9
    assert found[ALL]["deletion_gap"] < 0.15
    assert found[ALL]["intervals"]["deletion_gap"]["low"] < 0.05


def test_reversed_explanations_are_worse_than_random() -> None:
    found = measure_faithfulness(Backwards(), known_cases(4), seed=1, effort=EFFORT)
    assert found["deletion_beats_random"] == 0
    assert found[ALL]["intervals"]["deletion_gap"]["high"] < 0


def test_the_same_seed_gives_the_same_figures_and_progress_is_told_per_case() -> None:
    told: list[None] = []
    once = measure_faithfulness(
        GuessingSubject(), known_cases(3), seed=5, effort=EFFORT, advance=lambda: told.append(None)
    )
    again = measure_faithfulness(GuessingSubject(), known_cases(3), seed=5, effort=EFFORT)
    assert len(told) == 3
    assert {**once, "seconds_per_case": 0} == {**again, "seconds_per_case": 0}


def test_a_case_without_prediction_is_left_out() -> None:
    @dataclass(frozen=True)
    class Silent(KnownSubject):
        def explain(self, case: CaseInput) -> Prediction:
            return replace(super().explain(case), diagnoses=())

    assert measure_faithfulness(Silent(), known_cases(2), seed=1, effort=EFFORT)["deletion_beats_random"] is None
