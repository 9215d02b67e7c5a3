from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.additivity import measure_additivity
from services.diagnosis.inference.prediction import ModalityExplanation, Prediction
from tests.support.known_subject import KnownSubject, known_cases


@dataclass(frozen=True)
class Swapped(KnownSubject):
    """Gives half of the note's contribution to the image: the sum still holds, the shares do not."""

    def explain(self, case: CaseInput) -> Prediction:
        prediction = super().explain(case)
        across = prediction.explanation.modalities
        assert isinstance(across, ModalityExplanation)
        parts = across.contributions
        moved = {**parts, "image": parts["image"] + parts["note"] / 2, "note": parts["note"] / 2}
        why = replace(prediction.explanation, modalities=replace(across, contributions=moved))
        return replace(prediction, explanation=why)


def test_an_exact_explanation_adds_up() -> None:
    found = measure_additivity(KnownSubject(), known_cases(3), seed=1)
    assert found["efficiency_error_max"] == pytest.approx(0, abs=1e-9)
    assert found["shapley_error_max"] == pytest.approx(0, abs=1e-9)
    assert found["completeness_error_max"] == pytest.approx(0, abs=1e-9)
    assert found["share"] == pytest.approx({"image": 1 / 3, "note": 1 / 3, "vitals": 1 / 3})


def test_a_sum_that_holds_with_wrong_shares_is_caught() -> None:
    found = measure_additivity(Swapped(), known_cases(2), seed=1)
    assert found["efficiency_error"] == pytest.approx(0, abs=1e-9)
    assert found["shapley_error"] == pytest.approx(1.5)
    assert found["completeness_error"] == pytest.approx(1.5)
