"""The shipped bundle on a few patients it has never seen, and the same bundle with invented reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.case import CaseInput
from services.diagnosis.datasets.base import LabelledCase, Provenance
from services.diagnosis.evaluation.bundle_subject import BundleSubject
from services.diagnosis.evaluation.probes.faithfulness import Effort, measure_faithfulness
from services.diagnosis.evaluation.probes.localisation import measure_localisation
from services.diagnosis.inference.prediction import NoteSpan, Prediction
from services.diagnosis.ward.generate import iter_cases

EFFORT = Effort(orders=4, imputed_orders=1)


@dataclass(frozen=True)
class Inventive(BundleSubject):
    """The bundle's answers, with heat, spans and windows that have nothing to do with them."""

    def explain(self, case: CaseInput) -> Prediction:
        prediction, rng = super().explain(case), np.random.default_rng(len(case.notes[0].text))
        why = prediction.explanation
        images = tuple(replace(i, grid=rng.normal(size=(32, 32))) for i in why.images)
        spans = tuple(NoteSpan(i, i + 6, float(rng.normal()), False) for i in range(0, len(case.notes[0].text) - 6, 12))
        notes = tuple(replace(note, spans=spans) for note in why.notes)
        windows = why.vitals
        codes = rng.permutation([window.code for window in windows])
        vitals = tuple(
            replace(window, code=str(code), contribution=float(rng.normal()))
            for window, code in zip(windows, codes, strict=True)
        )
        return replace(prediction, explanation=replace(why, images=images, notes=notes, vitals=vitals))


@pytest.fixture(scope="module")
def cases() -> list[LabelledCase]:
    origin = Provenance("ward", "ward", "CC0-1.0", True)
    return [
        LabelledCase(str(i), str(i), case, {"diagnosis": truth.label}, origin, truth=truth)
        for i, (case, truth) in enumerate(iter_cases(99, 0, 8, side=128))
    ]


@pytest.fixture(scope="module")
def shipped() -> BundleSubject:
    import torch

    torch.set_num_threads(1)
    predictor = BundleSubject.load(DEMO_BUNDLE).predictor
    # Nothing counts as strange: what is rejected is another test's matter.
    familiar = {name: replace(ood, distances=np.array([np.inf])) for name, ood in predictor.contents.ood.items()}
    return BundleSubject(replace(predictor, contents=replace(predictor.contents, ood=familiar)))


def test_taking_away_what_it_names_changes_its_answer_more_than_chance(
    shipped: BundleSubject, cases: list[LabelledCase]
) -> None:
    found = measure_faithfulness(shipped, cases[:5], seed=1, effort=EFFORT)
    invented = measure_faithfulness(Inventive(shipped.predictor), cases[:5], seed=1, effort=EFFORT)
    assert found["deletion_beats_random"] >= 0.75
    assert found["all"]["comprehensiveness_ratio"] > 2
    assert invented["all"]["deletion_gap"] < found["all"]["deletion_gap"] / 2


def test_it_points_at_findings_more_often_than_chance(shipped: BundleSubject, cases: list[LabelledCase]) -> None:
    found = measure_localisation(shipped, cases, seed=1)
    invented = measure_localisation(Inventive(shipped.predictor), cases, seed=1)
    for name in ("span_f1", "window_iou"):
        assert found[name] > 1.5 * found[f"{name}_chance"]
        assert found[name] > invented[name]
    assert found["heatmap_pointing_game"] > found["heatmap_pointing_game_chance"]
    assert found["image"]["for_energy"] > 1.5 * invented["image"]["for_energy"]
