"""The shipped bundle on a few patients it has never seen, and the same bundle with invented reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.datasets.base import LabelledCase, Provenance
from services.diagnosis.evaluation.bundle_subject import BundleSubject
from services.diagnosis.evaluation.probes.faithfulness import Effort, measure_faithfulness
from services.diagnosis.evaluation.probes.localisation import measure_localisation
from services.diagnosis.ward.generate import iter_cases
from tests.support.broken_subjects import RandomExplanations

pytestmark = pytest.mark.slow

EFFORT = Effort(orders=4, imputed_orders=1)


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
    invented = measure_faithfulness(RandomExplanations(shipped, {}), cases[:5], seed=1, effort=EFFORT)
    assert found["deletion_beats_random"] >= 0.75
    assert found["all"]["comprehensiveness_ratio"] > 2
    assert invented["all"]["deletion_gap"] < found["all"]["deletion_gap"] / 2


def test_it_points_at_findings_more_often_than_chance(shipped: BundleSubject, cases: list[LabelledCase]) -> None:
    found = measure_localisation(shipped, cases, seed=1)
    invented = measure_localisation(RandomExplanations(shipped, {}), cases, seed=1)
    for name in ("span_f1", "window_iou"):
        assert found[name] > 1.5 * found[f"{name}_chance"]
        assert found[name] > invented[name]
    assert found["heatmap_pointing_game"] > found["heatmap_pointing_game_chance"]
    assert found["image"]["for_energy"] > 1.5 * invented["image"]["for_energy"]
