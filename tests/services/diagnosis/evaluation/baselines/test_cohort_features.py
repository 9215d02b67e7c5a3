"""A stream of cases as arrays."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.case import CaseInput, ImageInput, NoteInput
from services.diagnosis.datasets.base import LabelledCase, Provenance, Series, Task
from services.diagnosis.evaluation.baselines.cohort_features import encoder_of, read_evidence
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.ward.generate import generate_patient

NOW = datetime(2020, 1, 1, tzinfo=UTC)
TASK = Task("death", ("survived", "died"), "deterioration24h")
PIXELS = np.random.default_rng(0).random((8, 8)).astype(np.float32)


def case(
    index: int, *, note: str | None = None, lactate: float | None = None, label: int | None = 0, image: bool = False
) -> LabelledCase:
    images = (ImageInput("i", "1.2", PIXELS, 8, 8, NOW),) if image else ()
    notes = (NoteInput("n", note, NOW, "11488-4"),) if note else ()
    series = None if lactate is None else Series(np.array([-1.0]), ("Lactate",), np.array([lactate]))
    return LabelledCase(
        id=str(index),
        patient=f"p{index}",
        inputs=CaseInput(NOW, images, notes, None, 60.0, "M"),
        targets={} if label is None else {"death": label},
        provenance=Provenance("test", f"cases.csv:{index}", "CC0", True),
        measurements={} if lactate is None else {"2524-7": lactate},
        series=series,
    )


def test_a_case_holds_what_it_has_and_nothing_else() -> None:
    cases = [case(0, note="fever and cough"), case(1, lactate=4.0), case(2, note="fever and cough", lactate=2.0)]
    evidence = read_evidence(cases, TASK)
    features = evidence.features(np.arange(3), 0)
    assert features.modalities == ("note", "vitals")
    assert features.available.tolist() == [[True, False], [False, True], [True, True]]
    # Summaries of the one variable, its newest value, age, sex.
    np.testing.assert_allclose(features.pooled[1, 1, :11], [4, 4, 4, 4, 4, 0, 0, 1, 4, 60, 1])


def test_cases_without_the_label_or_without_evidence_are_left_out() -> None:
    evidence = read_evidence([case(0, note="fever", label=None), case(1), case(2, lactate=1.0, label=1)], TASK)
    assert (evidence.ids, evidence.labels.tolist(), evidence.patients.tolist()) == (("2",), [1], ["p2"])


def test_no_usable_case_is_an_error() -> None:
    with pytest.raises(ValueError, match="known death"):
        read_evidence([case(0)], TASK)


def test_a_refused_image_is_no_image() -> None:
    evidence = read_evidence([case(0, lactate=1.0, image=True), case(1, image=True)], TASK, lambda _: None)
    assert evidence.ids == ("0",)
    assert evidence.features(np.arange(1), 0).modalities == ("vitals",)


def test_the_encoder_of_a_bundle_gives_what_serving_fuses() -> None:
    predictor = Predictor.load(DEMO_BUNDLE)
    images = generate_patient(5, 0, side=512).case().images
    vector = encoder_of(predictor)(images)
    assert vector is not None
    prepared = predictor.preprocessor.images(images)
    expected = predictor.engine.encode("image", prepared).encoded.pooled[0].numpy()
    np.testing.assert_array_equal(vector, expected)
