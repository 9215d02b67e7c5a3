from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.probes.temporal import cut_at, figures_of, measure_temporal, replay
from services.diagnosis.evaluation.subject import Answer
from tests.support.known_subject import KnownSubject, known_case, known_cases

CASE = known_case()


def test_a_cut_knows_nothing_of_what_came_after() -> None:
    cut = cut_at(CASE.inputs, -1.5)
    assert [len(cut.images), len(cut.notes)] == [1, 0]  # the image came two hours before the case time, the note one
    assert cut.vitals is not None
    assert CASE.inputs.vitals is not None
    assert cut.vitals.times_h.max() == 0  # the reading of half past one, now at the case time
    assert len(cut.vitals.times_h) == len(CASE.inputs.vitals.times_h) - 2
    assert CASE.inputs.as_of - cut.as_of == CASE.inputs.as_of - cut_at(cut, 0).as_of
    assert cut_at(CASE.inputs, -60).vitals is None


def test_the_whole_stay_ends_with_the_answer_to_the_case() -> None:
    course = replay(KnownSubject(), CASE.inputs, 72)
    assert course.shape == (73, 8)
    np.testing.assert_allclose(course[0], KnownSubject().prevalence)
    whole = KnownSubject().answer(CASE.inputs).members["image+note+vitals"].mean(0)[:8]
    np.testing.assert_allclose(course[-1], whole)


def test_figures_by_hand() -> None:
    """Two classes over four hours: the first diagnosis turns once, and log-odds move by 2 in one quiet hour."""
    case = replace(CASE, inputs=replace(CASE.inputs, images=(), notes=()), targets={"diagnosis": 1}, truth=None)
    z = np.array([1.0, 1.0, -1.0, -1.0, -1.0])
    p = 1 / (1 + np.exp(-z))
    figures = figures_of(np.stack([p, 1 - p], axis=1), case, "diagnosis", 4)
    assert figures["jitter"] == pytest.approx(2 / 4)
    assert figures["flips_per_day"] == pytest.approx(24 / 4)
    assert figures["late_agreement"] == pytest.approx(2 / 4)
    assert figures["nll_at_0h"] == pytest.approx(np.log(1 + np.exp(-1)))
    assert figures["nll_slope_per_day"] < 0
    assert "jitter_at_rest" not in figures


def test_hours_in_which_an_image_or_note_comes_are_no_jitter() -> None:
    """The known model changes with the fast heart (hours -6 to -5), the image (-2) and the note (-1) and never else."""
    found = measure_temporal(KnownSubject(), known_cases(3), "diagnosis", seed=1)
    assert found["n"] == 3
    assert found["jitter_at_rest"] == 0
    assert 0 < found["jitter"] < 0.1
    assert found["flips_per_day"] == pytest.approx(1 / 3)
    assert found["nll_at_0h"] < found["nll_at_-6h"]
    assert found["nll_slope_per_day"] < 0


def test_a_restless_model_is_told_from_a_steady_one() -> None:
    @dataclass(frozen=True)
    class Restless(KnownSubject):
        def answer(self, case: CaseInput) -> Answer:
            answer, rng = super().answer(case), np.random.default_rng(int(case.as_of.timestamp()))
            noisy = {k: v * rng.uniform(0.2, 5, v.shape) for k, v in answer.members.items()}
            return replace(answer, members={k: v / v[:, :-1].sum(1, keepdims=True) for k, v in noisy.items()})

    steady = measure_temporal(KnownSubject(), known_cases(3), "diagnosis", seed=1)
    restless = measure_temporal(Restless(), known_cases(3), "diagnosis", seed=1)
    assert restless["jitter_at_rest"] > steady["jitter_at_rest"] + 0.3
    assert restless["flips_per_day"] > 5
