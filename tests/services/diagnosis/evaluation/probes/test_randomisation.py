from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.case import CaseInput
from services.diagnosis.datasets.base import LabelledCase, Provenance
from services.diagnosis.evaluation.probes.randomisation import (
    explainer,
    likeness,
    measure_randomisation,
    randomise,
    structural_similarity,
)
from services.diagnosis.inference.prediction import Explanation
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.ward.generate import iter_cases
from tests.support.known_subject import GuessingSubject, KnownSubject, known_case, known_cases


def exact(case: CaseInput, label: int) -> Explanation:
    return KnownSubject().explain(case).explanation


def invented(case: CaseInput, label: int) -> Explanation:
    return GuessingSubject().explain(case).explanation


def test_structural_similarity_is_that_of_monai() -> None:
    import torch
    from monai.metrics.regression import SSIMMetric

    rng = np.random.default_rng(0)
    a = rng.random((24, 24))
    b = np.clip(a + rng.normal(0, 0.2, a.shape), 0, 1)
    metric = SSIMMetric(spatial_dims=2, data_range=1.0, kernel_type="uniform", win_size=7)
    reference = metric(torch.tensor(a)[None, None], torch.tensor(b)[None, None])
    assert isinstance(reference, torch.Tensor)
    assert structural_similarity(a, b) == pytest.approx(reference.item(), abs=1e-6)


def test_an_explanation_is_like_itself_and_unlike_its_opposite() -> None:
    case = known_case().inputs
    why = invented(case, 0)
    same = likeness(case, why, why)
    assert all(value == pytest.approx(1) for value in same.values())
    negative = replace(why, images=tuple(replace(i, grid=-i.grid) for i in why.images if i.grid is not None))
    assert likeness(case, why, negative)["image/spearman"] == pytest.approx(-1)
    assert likeness(case, why, negative)["image/spearman_absolute"] == pytest.approx(1)


def test_explanations_that_do_not_depend_on_the_weights_are_caught() -> None:
    found = measure_randomisation(invented, invented, known_cases(3), seed=1)
    assert [found[name]["spearman"] for name in ("image", "vitals")] == pytest.approx([1, 1])
    unlike = measure_randomisation(exact, invented, known_cases(8), seed=1)
    assert abs(unlike["image"]["spearman"]) < 0.2


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    import torch

    torch.set_num_threads(1)
    return Predictor.load(DEMO_BUNDLE)


@pytest.fixture(scope="module")
def cases() -> list[LabelledCase]:
    origin = Provenance("ward", "ward", "CC0-1.0", True)
    return [
        LabelledCase(str(i), str(i), case, {"diagnosis": truth.label}, origin)
        for i, (case, truth) in enumerate(iter_cases(88, 0, 4, side=128))
    ]


def test_the_shipped_bundle_explains_otherwise_once_its_weights_are_random(
    predictor: Predictor, cases: list[LabelledCase]
) -> None:
    inputs = [case.inputs for case in cases]
    other = randomise(predictor, inputs, seed=3)
    found = measure_randomisation(explainer(predictor), explainer(other), cases, seed=1)
    assert abs(found["image"]["spearman"]) < 0.4
    assert abs(found["note"]["spearman"]) < 0.4
    again = explainer(randomise(predictor, inputs, seed=3))(inputs[0], 0)
    assert again.modalities == explainer(other)(inputs[0], 0).modalities


def test_any_label_can_be_explained(predictor: Predictor, cases: list[LabelledCase]) -> None:
    case = cases[0].inputs
    members = predictor.engine.ask_every_subset(
        {name: predictor.engine.encode(name, part).encoded for name, part in predictor.prepare(case).items()}
    )
    for label in (0, 5):
        across = explainer(predictor)(case, label).modalities
        assert across is not None
        p = members["+".join(MODALITIES)][:, label].mean()
        assert across.base + sum(across.contributions.values()) == pytest.approx(np.log(p / (1 - p)), abs=1e-6)
