from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.case import CaseInput
from services.diagnosis.datasets.base import LabelledCase, Provenance
from services.diagnosis.evaluation.bundle_subject import BundleSubject
from services.diagnosis.evaluation.probes.additivity import measure_additivity, measure_integration
from services.diagnosis.inference.prediction import ModalityExplanation, Prediction
from services.diagnosis.ward.generate import iter_cases
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


@pytest.fixture(scope="module")
def shipped() -> tuple[BundleSubject, list[LabelledCase]]:
    import torch

    torch.set_num_threads(1)
    origin = Provenance("ward", "ward", "CC0-1.0", True)
    cases = [
        LabelledCase(str(i), str(i), case, {"diagnosis": truth.label}, origin, truth=truth)
        for i, (case, truth) in enumerate(iter_cases(88, 0, 4, side=128))
    ]
    return BundleSubject.load(DEMO_BUNDLE), cases


def test_the_shipped_bundle_s_explanations_add_up(shipped: tuple[BundleSubject, list[LabelledCase]]) -> None:
    """Its Shapley values agree with those recomputed from its answers, and every part adds up to its modality."""
    found = measure_additivity(*shipped, seed=1)
    assert found["n"] >= 3
    assert all(found[f"{name}_error_max"] < 1e-6 for name in ("efficiency", "shapley", "completeness"))


def test_the_integration_of_the_shipped_bundle_is_nearly_complete(
    shipped: tuple[BundleSubject, list[LabelledCase]],
) -> None:
    subject, cases = shipped
    found = measure_integration(subject.predictor, cases, seed=1)
    assert {"image", "note", "vitals"} <= set(found)
    assert all(entry["relative_error"] <= 0.01 for entry in found.values())
    assert all(8 <= entry["nodes"] <= 96 for entry in found.values())
