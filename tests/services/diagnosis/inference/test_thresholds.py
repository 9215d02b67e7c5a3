from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.prediction import ModalityOutcome, PredictionSet, RankedDiagnosis, Uncertainty
from services.diagnosis.inference.reasons import abstention_reasons, uncalibrated_note, what_would_help
from services.diagnosis.inference.thresholds import Confidence, Thresholds, fit_confidence, least_confidence
from services.diagnosis.model.modalities import PATTERNS
from shared.codes import DIAGNOSES, PNEUMONIA, PULMONARY_EMBOLISM, SEPSIS

CLASSES, PATTERN = len(DIAGNOSES), "image+note"


def thresholds(least: float = 0.0) -> Thresholds:
    shape = (len(PATTERNS), CLASSES)
    return Thresholds(2, dict.fromkeys(PATTERNS, 0.2), Confidence(np.full(shape, least), np.full(shape, 0.42)))


def reasons(codes: tuple[str, ...], epistemic: float = 0.1, least: float = 0.0) -> tuple[str, ...]:
    leading = RankedDiagnosis(PNEUMONIA, 0.5, (0.4, 0.6))
    found = PredictionSet(0.9, codes, "pattern x class")
    return abstention_reasons(thresholds(least), PATTERN, found, Uncertainty(0.5, 0.4, epistemic), leading)


def test_an_ordinary_case_gives_no_reason() -> None:
    assert reasons((PNEUMONIA.code,)) == ()


def test_a_large_set_is_told_by_the_names_of_what_remains() -> None:
    (told,) = reasons((PNEUMONIA.code, SEPSIS.code, PULMONARY_EMBOLISM.code))
    assert "Pneumonia, Sepsis, Pulmonary embolism" in told
    assert "the chest radiograph and the clinical note cannot tell them apart" in told


def test_a_narrow_lead_is_told_by_how_often_it_was_wrong() -> None:
    (told,) = reasons((PNEUMONIA.code,), least=0.6)
    assert told.startswith("Pneumonia leads, but too narrowly")
    assert "wrong in about 4 of 10 earlier cases" in told


def test_contradiction_inside_the_model_is_told() -> None:
    (told,) = reasons((PNEUMONIA.code,), epistemic=0.3)
    assert "too few patients like this one" in told


def test_what_was_set_aside_is_named_with_its_reason_and_what_is_not_there_with_a_wish() -> None:
    outcomes = {
        "image": ModalityOutcome(True, ("a",), {}, 0.5, False),
        "note": ModalityOutcome(False, ("b",), {}, 1.0, True, "its words stand in no order of a clinical text"),
    }
    first, last = what_would_help(outcomes)
    assert first == "The clinical note was set aside: its words stand in no order of a clinical text."
    assert "a record of vital signs" in last
    assert "a clinical note that this model can read" in last


def test_an_uncalibrated_answer_says_so() -> None:
    told = uncalibrated_note("vitals", 12)
    assert told.startswith("Uncalibrated: only 12 earlier cases")
    assert "the vital signs alone" in told


def test_the_least_confidence_brings_the_risk_to_six_tenths() -> None:
    # Ten cases, the three least certain wrong with the first and third, and no other: risk 0.2 of all; without the
    # least certain one it is 1/9 = 0.111 <= 0.12.
    top = np.linspace(0.1, 1.0, 10)
    wrong = np.zeros(10, np.bool_)
    wrong[[0, 2]] = True
    threshold, wrong_below = least_confidence(top, wrong)
    assert threshold == pytest.approx(0.2)
    assert wrong_below == 1.0


def test_no_more_than_a_fifth_is_held_back() -> None:
    top, wrong = np.linspace(0.01, 1.0, 100), np.ones(100, np.bool_)
    threshold, _ = least_confidence(top, wrong)
    assert (top < threshold).sum() == 20


def test_what_is_answered_errs_less_for_every_leading_diagnosis() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(12000, CLASSES)) * np.linspace(1, 2.5, CLASSES)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (probabilities.cumsum(1) > rng.random((12000, 1))).argmax(1)
    half = slice(None, 6000)
    found = fit_confidence(dict.fromkeys(PATTERNS, probabilities[half]), labels[half])
    shown, truth = probabilities[6000:], labels[6000:]
    leading, wrong = shown.argmax(1), shown.argmax(1) != truth
    for k in range(CLASSES):
        own = leading == k
        kept = own & (shown.max(1) >= found.least[0, k])
        assert wrong[kept].mean() < wrong[own].mean()
        assert kept.sum() / own.sum() > 0.74


def test_thresholds_survive_json() -> None:
    again = Thresholds.from_json(thresholds(0.6).to_json())
    np.testing.assert_array_equal(again.confidence.least, thresholds(0.6).confidence.least)
    assert again.epistemic == thresholds().epistemic
