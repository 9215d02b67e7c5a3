from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.case import CaseInput, VitalsInput
from services.diagnosis.evaluation.bundle_subject import BundleSubject
from services.diagnosis.evaluation.probes.asking import held
from services.diagnosis.evaluation.probes.ood import judge_scores, measure_ood
from services.diagnosis.evaluation.probes.strangers import STRANGERS
from services.diagnosis.evaluation.subject import Answer
from services.diagnosis.ward.generate import iter_cases
from tests.support.known_subject import KnownSubject, known_case, known_cases

KINDS = [(name, kind) for name, kinds in STRANGERS.items() for kind in kinds]
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Watchful(KnownSubject):
    """Scores an image by its mean brightness, and nothing else."""

    def answer(self, case: CaseInput) -> Answer:
        bright = {"image": float(case.images[0].pixels.mean())} if case.images else {}
        return Answer({}, bright)


def test_auroc_is_scikit_learn_s_ties_included() -> None:
    ordinary, strange = RNG.integers(0, 20, 200) / 20, RNG.integers(5, 25, 200) / 20
    found = judge_scores(ordinary, {"x": ("far", strange)}, np.arange(200).astype(str), seed=1)
    reference = roc_auc_score(np.repeat([0, 1], 200), np.concatenate([ordinary, strange]))
    assert found["cases"]["x"]["auroc"] == pytest.approx(reference)
    assert found["auroc"] == found["cases"]["x"]["auroc"]
    assert (
        found["cases"]["x"]["intervals"]["auroc"]["low"] < reference < found["cases"]["x"]["intervals"]["auroc"]["high"]
    )


def test_fpr95_and_the_working_threshold_by_hand() -> None:
    """95 of 100 ordinary inputs score up to 0.94, and so do 3 of the 4 strangers; one is above 0.99."""
    ordinary = np.arange(100) / 100
    strange = np.array([0.1, 0.5, 0.94, 0.995])
    found = judge_scores(ordinary, {"x": ("far", np.resize(strange, 100))}, np.arange(100).astype(str), seed=1)
    assert found["fpr95"] == pytest.approx(0.75)
    assert found["detected"] == pytest.approx(0.25)
    assert found["false_rejections"]["value"] == 0


def test_far_and_near_are_pooled_apart_each_kind_alike() -> None:
    ordinary, high = np.zeros(10), np.ones(10)
    kinds = {"a": ("far", high), "b": ("far", ordinary), "c": ("near", ordinary)}
    found = judge_scores(ordinary, kinds, np.arange(10).astype(str), seed=1)
    assert (found["auroc"], found["near"]["auroc"]) == (0.75, 0.5)


def test_a_subject_that_watches_one_thing_notices_that_alone() -> None:
    found = measure_ood(Watchful(), known_cases(12), seed=1)
    assert set(found) == {"image"}
    kinds = found["image"]["cases"]
    assert kinds["inverted"]["auroc"] == kinds["noise"]["auroc"] == 1
    assert [kinds[kind]["auroc"] for kind in ("mirrored", "rotated_90")] == pytest.approx([0.5, 0.5], abs=0.05)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_stranger_differs_in_its_modality_alone_and_is_the_same_each_time(name: str, kind: str) -> None:
    case, stranger = known_case().inputs, STRANGERS[name][kind]
    made, again = (stranger.make(case, np.random.default_rng(3)) for _ in range(2))
    for other in {"image", "note", "vitals"} - {name}:
        field = {"image": "images", "note": "notes", "vitals": "vitals"}[other]
        assert getattr(made, field) is getattr(case, field)
    assert held(made) == held(case)
    if name == "image":
        pixels = made.images[0].pixels
        np.testing.assert_array_equal(pixels, again.images[0].pixels)
        assert pixels.dtype == np.float32
        assert 0 <= pixels.min() < pixels.max() <= 1
        assert np.ptp(pixels) >= 0.02  # no input rule gives it away
        assert pixels.shape != case.images[0].pixels.shape or not np.array_equal(pixels, case.images[0].pixels)
    elif name == "note":
        assert made.notes[0].text != case.notes[0].text
        assert made.notes == again.notes
        assert made.notes[0].text.strip()
    else:
        assert made.vitals is not None
        assert again.vitals is not None
        np.testing.assert_array_equal(made.vitals.values, again.vitals.values)
        assert len(made.vitals.values) == len(made.vitals.codes) == len(made.vitals.times_h)


def test_the_shipped_bundle_notices_noise_another_language_and_impossible_saturations() -> None:
    import torch

    torch.set_num_threads(1)
    subject = BundleSubject.load(DEMO_BUNDLE)
    for case, _ in iter_cases(88, 0, 3, side=128):
        for name, kind in (("image", "noise"), ("note", "spanish"), ("vitals", "saturation_as_fraction")):
            strange = STRANGERS[name][kind].make(case, np.random.default_rng(0))
            assert subject.answer(strange).ood[name] > 0.99


@pytest.mark.parametrize("kind", list(STRANGERS["vitals"]))
def test_signs_under_another_code_of_theirs_can_be_made_strange(kind: str) -> None:
    # 2708-6 is the saturation whose method is not stated; 0000-0 is no sign of ours.
    vitals = VitalsInput("v", np.arange(-12.0, 0.0), ("2708-6", "8867-4", "0000-0") * 4, np.full(12, 90.0))
    case = CaseInput(datetime(2026, 1, 1, tzinfo=UTC), vitals=vitals)
    strange = STRANGERS["vitals"][kind].make(case, np.random.default_rng(1)).vitals
    assert strange is None or set(strange.codes) <= {"59408-5", "8867-4"}
