from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.case import Truth
from services.diagnosis.evaluation.probes.localisation import measure_localisation
from services.diagnosis.evaluation.probes.overlaps import judge_negations, judge_notes, judge_vitals
from services.diagnosis.evaluation.probes.pointing import judge_image, judge_images
from services.diagnosis.inference.prediction import Explanation, NoteExplanation, NoteSpan, VitalsExplanation
from shared.codes import HEART_RATE, RESPIRATORY_RATE
from tests.support.known_subject import GuessingSubject, KnownSubject, known_case, known_cases

CASE = known_case().inputs
RNG = np.random.default_rng(0)


def quarter(size: int = 8) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    mask = np.zeros((size, size), np.bool_)
    mask[: size // 2, : size // 2] = True
    return mask


def test_pointing_and_energy_by_hand() -> None:
    heat = np.array([[3.0, 1.0], [-9.0, 2.0]])
    towards = judge_image(heat, quarter(), "for")
    expected = {"pointing": 1, "pointing_near": 1, "pointing_chance": 0.25, "energy": 0.5, "energy_over_area": 2.0}
    assert towards == pytest.approx(expected)
    either = judge_image(heat, quarter(), "any")
    assert either["pointing"] == 0  # the strongest cell speaks against, and lies outside
    assert either["energy"] == pytest.approx(3 / 15)


def test_a_peak_just_beside_the_mask_is_near_it() -> None:
    """The mask ends at column 49; the tolerance is 3 pixels of 100."""
    mask = np.zeros((100, 100), np.bool_)
    mask[:, :50] = True
    for column, near in ((51, 1), (54, 0)):
        heat = np.zeros((100, 100))
        heat[10, column] = 1.0
        judged = judge_image(heat, mask, "for")
        assert (judged["pointing"], judged["pointing_near"]) == (0, near)


def test_a_map_without_heat_points_nowhere() -> None:
    judged = judge_image(np.zeros((4, 4)), quarter(), "for")
    assert judged["pointing"] == judged["pointing_near"] == 0


def test_a_map_that_ignores_the_patient_does_as_well_with_another_s() -> None:
    fixed = np.array([[1.0, 0], [0, 0]])
    own = judge_images([{"for": (fixed, quarter())}, {"for": (fixed, ~quarter())}])
    assert [row["image_for_pointing"] for row in own] == [1, 0]
    assert [row["image_for_pointing_other_case"] for row in own] == [1, 0]


def explained(*spans: NoteSpan) -> Explanation:
    return Explanation(notes=(NoteExplanation("n", spans),))


def test_span_f1_by_hand() -> None:
    case = replace(CASE, notes=(replace(CASE.notes[0], id="n", text="dry cough and fever today"),))
    truth = Truth(0, False, spans=((4, 9, "cough", False),))
    # "dry cough" is shown: 8 letters, 5 of them true: precision 5/8, recall 1.
    figures = judge_notes(case, explained(NoteSpan(0, 9, 2.0, False), NoteSpan(14, 19, 1.0, False)), truth, None, RNG)
    assert figures["precision"] == pytest.approx(5 / 8)
    assert figures["f1"] == pytest.approx(2 * 5 / 8 / (1 + 5 / 8))
    assert 0 < figures["f1_chance"] < figures["f1"]


def test_only_spans_that_speak_for_the_label_count_where_findings_do() -> None:
    case = replace(CASE, notes=(replace(CASE.notes[0], id="n", text="dry cough and fever today"),))
    truth = Truth(0, False, spans=((4, 9, "cough", False), (14, 19, "fever", False)))
    why = explained(NoteSpan(4, 9, -5.0, False), NoteSpan(14, 19, 1.0, False))
    assert judge_notes(case, why, truth, frozenset({"fever"}), RNG)["f1"] == 1
    assert judge_notes(case, why, truth, frozenset({"wheeze"}), RNG) == {}


def test_negation_flags_are_compared_where_spans_meet() -> None:
    truth = Truth(0, False, spans=((0, 5, "fever", True), (10, 15, "cough", False)))
    why = explained(NoteSpan(0, 4, 1, True), NoteSpan(12, 15, 1, True), NoteSpan(30, 35, 1, True))
    assert judge_negations(why, "n", truth) == {"negation_accuracy": 0.5, "negation_always_plain": 0.5}


def window(code: str, start: float, end: float, contribution: float) -> VitalsExplanation:
    from datetime import timedelta

    return VitalsExplanation(code, CASE.as_of + timedelta(hours=start), CASE.as_of + timedelta(hours=end), contribution)


def test_window_iou_by_hand() -> None:
    truth = Truth(0, False, windows=((HEART_RATE.code, -9.0, -3.0, "tachycardia"),))
    why = Explanation(vitals=(window(HEART_RATE.code, -12, -6, 2.0), window(RESPIRATORY_RATE.code, -9, -3, 1.0)))
    figures = judge_vitals(CASE, why, truth, None, RNG)
    assert figures["iou"] == pytest.approx(3 / 9)  # the strongest window alone; the other is of another sign
    assert figures["mass"] == pytest.approx(2 * 0.5 / 3)
    assert figures["iou_chance"] < 0.2


def test_exact_explanations_are_found_where_the_truth_is() -> None:
    found = measure_localisation(KnownSubject(), known_cases(4), seed=1)
    assert found["heatmap_pointing_game"] == found["span_f1"] == found["window_iou"] == 1
    assert found["heatmap_pointing_game_chance"] == pytest.approx(1 / 64)
    assert found["intervals"]["span_f1"] == {"low": 1.0, "high": 1.0}


def test_invented_explanations_point_no_better_than_chance() -> None:
    found = measure_localisation(GuessingSubject(), known_cases(30), seed=1)
    assert found["heatmap_pointing_game"] < 0.2
    assert found["span_f1"] < 0.3
    assert found["window_iou"] < 0.3


def test_cases_whose_truth_nobody_knows_are_left_out() -> None:
    unknown = [replace(case, truth=None) for case in known_cases(2)]
    found = measure_localisation(KnownSubject(), unknown, seed=1)
    assert found["n"] == 0
    assert found["heatmap_pointing_game"] is None


def test_without_the_values_of_findings_only_the_whole_truth_is_used() -> None:
    cases = [replace(case, truth=replace(case.truth, findings={})) for case in known_cases(2) if case.truth]
    found = measure_localisation(KnownSubject(), cases, seed=1)
    assert found["heatmap_pointing_game"] is None
    assert found["image"]["any_pointing"] == 1
