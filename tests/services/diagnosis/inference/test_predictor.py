from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.diagnosis.case import CaseInput, NoteInput, Truth, VitalsInput
from services.diagnosis.evaluation.probes.asking import restrict
from services.diagnosis.inference.prediction import Prediction
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.modalities import CONTEXT, MODALITIES, subsets
from shared.codes import DIAGNOSES, OXYGEN_SATURATION

SUBSETS = [subset for subset in subsets(MODALITIES) if set(subset) - CONTEXT]


def log_odds(prediction: Prediction) -> float:
    p = prediction.diagnoses[0].probability
    return float(np.log(p / (1 - p)))


def probability_of(prediction: Prediction, code: str) -> float:
    return next(d.probability for d in prediction.diagnoses if d.coding.code == code)


@pytest.fixture(scope="module")
def prediction(predictor: Predictor, case: CaseInput) -> Prediction:
    return predictor.predict(case)


def test_importing_the_predictor_imports_no_torch() -> None:
    code = (
        "import sys, services.diagnosis.inference.predictor; sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_contributions_add_up_to_the_calibrated_log_odds(
    predictor: Predictor, case: CaseInput, names: tuple[str, ...]
) -> None:
    prediction = predictor.predict(restrict(case, names))
    across = prediction.explanation.modalities
    assert across is not None
    assert set(across.contributions) == set(names)
    assert across.base + sum(across.contributions.values()) == pytest.approx(log_odds(prediction), abs=1e-6)


def test_doubts_about_an_image_reach_the_result_and_change_no_answer(
    predictor: Predictor, case: CaseInput, prediction: Prediction
) -> None:
    doubt = {"name": "inverted", "value": -0.5, "limit": -0.3, "text": "The image looks inverted."}
    doubted = replace(case, images=tuple(replace(image, findings=(doubt,)) for image in case.images))
    again = predictor.predict(doubted)
    assert again.modalities["image"].quality["findings"] == [{"image": image.id, **doubt} for image in case.images]
    assert "findings" not in prediction.modalities["image"].quality
    assert [d.probability for d in again.diagnoses] == [d.probability for d in prediction.diagnoses]


def test_probabilities_are_ranked_and_sum_to_one(prediction: Prediction) -> None:
    probabilities = [d.probability for d in prediction.diagnoses]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-9)
    assert {d.coding for d in prediction.diagnoses} == set(DIAGNOSES)


def test_every_interval_holds_its_probability(prediction: Prediction) -> None:
    assert all(0 <= d.interval[0] <= d.probability <= d.interval[1] <= 1 for d in prediction.diagnoses)


def test_uncertainty_is_the_sum_of_its_parts(prediction: Prediction) -> None:
    uncertainty = prediction.uncertainty
    assert uncertainty is not None
    assert uncertainty.total == pytest.approx(uncertainty.aleatoric + uncertainty.epistemic)


def test_the_same_case_twice_gives_the_same_prediction(
    predictor: Predictor, case: CaseInput, prediction: Prediction
) -> None:
    assert predictor.predict(case) == prediction


def test_stages_are_told_in_order(predictor: Predictor, case: CaseInput) -> None:
    stages: list[str] = []
    timings = predictor.predict(case, on_stage=stages.append).timings
    assert stages == ["encode", "fuse", "explain"]
    assert list(timings) == stages


def test_parts_inside_notes_and_vitals_sum_to_their_modality(prediction: Prediction) -> None:
    across = prediction.explanation.modalities
    assert across is not None
    spans = sum(span.contribution for note in prediction.explanation.notes for span in note.spans)
    windows = sum(window.contribution for window in prediction.explanation.vitals)
    assert spans == pytest.approx(across.contributions["note"], abs=1e-6)
    assert windows == pytest.approx(across.contributions["vitals"], abs=1e-6)


def test_the_heat_map_covers_the_whole_image_in_its_aspect(prediction: Prediction, case: CaseInput) -> None:
    explanation, image = prediction.explanation.images[0], case.images[0]
    heatmap = Image.open(io.BytesIO(explanation.heatmap_png))
    assert heatmap.mode == "RGBA"
    assert heatmap.width / heatmap.height == pytest.approx(image.columns / image.rows, rel=0.02)


def test_regions_lie_inside_the_original_image(prediction: Prediction, case: CaseInput) -> None:
    image, regions = case.images[0], prediction.explanation.images[0].regions
    assert regions
    assert all(r.x >= 0 and r.x + r.width <= image.columns + 1e-6 for r in regions)
    assert all(r.y >= 0 and r.y + r.height <= image.rows + 1e-6 for r in regions)


def test_spans_are_words_of_the_note(prediction: Prediction, case: CaseInput) -> None:
    text = case.notes[0].text
    for span in prediction.explanation.notes[0].spans:
        words = text[span.start : span.end]
        assert words
        assert words == words.strip()


def test_every_sentence_names_evidence_of_the_case(prediction: Prediction, case: CaseInput) -> None:
    assert case.vitals is not None
    known = {case.images[0].id, case.notes[0].id, case.vitals.id}
    assert len(prediction.explanation.summary) >= 4
    assert all(sentence.evidence and set(sentence.evidence) <= known for sentence in prediction.explanation.summary)


def test_similar_cases_come_nearest_first(prediction: Prediction) -> None:
    similarities = [case.similarity for case in prediction.explanation.similar]
    assert len(similarities) == 5
    assert similarities == sorted(similarities, reverse=True)


def test_one_painted_region_changes_probability_and_heat_map(
    predictor: Predictor, case: CaseInput, prediction: Prediction
) -> None:
    pixels = case.images[0].pixels.copy()
    height, width = pixels.shape
    pixels[int(0.55 * height) : int(0.8 * height), int(0.1 * width) : int(0.35 * width)] = 0.8
    changed = predictor.predict(replace(case, images=(replace(case.images[0], pixels=pixels),)))
    _differs(prediction, changed)
    if changed.modalities["image"].used:
        assert changed.explanation.images[0].heatmap_png != prediction.explanation.images[0].heatmap_png


def test_one_sentence_changes_probability_and_spans(
    predictor: Predictor, case: CaseInput, prediction: Prediction
) -> None:
    sentence = " Has fever, rigors and a productive cough."
    note = replace(case.notes[0], text=case.notes[0].text + sentence)
    changed = predictor.predict(replace(case, notes=(note,)))
    _differs(prediction, changed)
    assert changed.explanation.notes != prediction.explanation.notes


def test_one_vital_sign_changes_probability_and_windows(
    predictor: Predictor, case: CaseInput, prediction: Prediction
) -> None:
    assert case.vitals is not None
    values = case.vitals.values.copy()
    last = max(i for i, code in enumerate(case.vitals.codes) if code == OXYGEN_SATURATION.code)
    values[last] = 70.0
    changed = predictor.predict(replace(case, vitals=replace(case.vitals, values=values)))
    _differs(prediction, changed)
    assert changed.explanation.vitals != prediction.explanation.vitals


def _differs(before: Prediction, after: Prediction) -> None:
    code = before.diagnoses[0].coding.code
    assert abs(probability_of(before, code) - probability_of(after, code)) > 1e-5


def _blank(case: CaseInput) -> CaseInput:
    return replace(case, images=(replace(case.images[0], pixels=np.full((300, 300), 0.5, np.float32)),))


def _noise(case: CaseInput) -> CaseInput:
    pixels = np.random.default_rng(0).random((300, 300), dtype=np.float32)
    return replace(case, images=(replace(case.images[0], pixels=pixels),))


def _inverted(case: CaseInput) -> CaseInput:
    return replace(case, images=(replace(case.images[0], pixels=1 - case.images[0].pixels),))


def _foot(case: CaseInput) -> CaseInput:
    return replace(case, images=(replace(case.images[0], body_part_examined="FOOT"),))


@pytest.mark.parametrize("strange", [_blank, _noise, _inverted, _foot], ids=lambda f: f.__name__.strip("_"))
def test_a_strange_image_is_rejected_and_the_rest_answers(predictor: Predictor, case: CaseInput, strange: Any) -> None:
    prediction = predictor.predict(strange(case))
    without = predictor.predict(replace(case, images=()))
    assert not prediction.modalities["image"].used
    assert prediction.diagnoses == without.diagnoses


def test_a_note_in_no_language_is_rejected(predictor: Predictor, case: CaseInput) -> None:
    note = replace(case.notes[0], text="xqzt 9981 #### @@ vvvkq ;;; 0x1f 77 zzqp " * 12)
    assert not predictor.predict(replace(case, notes=(note,))).modalities["note"].used


def test_vital_signs_in_another_unit_are_rejected(predictor: Predictor, case: CaseInput) -> None:
    assert case.vitals is not None
    halved = replace(case.vitals, values=case.vitals.values * 0.4)
    assert not predictor.predict(replace(case, vitals=halved)).modalities["vitals"].used


def test_with_nothing_left_it_abstains_and_says_why(predictor: Predictor, case: CaseInput) -> None:
    prediction = predictor.predict(_noise(restrict(case, ("image",))))
    assert prediction.abstained
    assert prediction.diagnoses == ()
    assert any("radiograph" in reason for reason in prediction.reasons)


def test_a_case_without_evidence_is_refused(predictor: Predictor, case: CaseInput) -> None:
    with pytest.raises(ValueError, match="at least one"):
        predictor.predict(restrict(case, ()))


def test_two_images_and_two_notes_are_one_case(predictor: Predictor, case: CaseInput) -> None:
    image, note = case.images[0], case.notes[0]
    second = replace(image, id="second", sop_instance_uid=image.sop_instance_uid + ".2")
    later = NoteInput("later", "Feels better, no fever.", note.authored, note.type)
    prediction = predictor.predict(replace(case, images=(image, second), notes=(note, later)))
    assert len(prediction.explanation.images) == 2
    assert set(prediction.modalities["note"].evidence) == {note.id, "later"}


def test_readings_in_any_order_give_the_same(predictor: Predictor, case: CaseInput, prediction: Prediction) -> None:
    vitals = case.vitals
    assert vitals is not None
    order = np.random.default_rng(0).permutation(len(vitals.codes))
    codes = tuple(vitals.codes[i] for i in order)
    shuffled = VitalsInput(vitals.id, vitals.times_h[order], codes, vitals.values[order])
    assert predictor.predict(replace(case, vitals=shuffled)) == prediction


def test_the_model_knows_more_than_the_prevalence(
    predictor: Predictor, patients: list[tuple[CaseInput, Truth]]
) -> None:
    chances = [probability_of(predictor.predict(case), DIAGNOSES[truth.label].code) for case, truth in patients]
    assert np.mean(np.log(chances)) > np.log(1 / 8) + 0.5


def test_a_note_in_another_language_is_set_aside_with_the_reason(predictor: Predictor, case: CaseInput) -> None:
    foreign = replace(case, notes=(replace(case.notes[0], language="es"),))
    prediction = predictor.predict(foreign)
    assert not prediction.modalities["note"].used
    assert any("it is written in Spanish" in reason for reason in prediction.reasons)
    without = predictor.predict(replace(case, notes=()))
    assert [(d.coding, d.probability) for d in prediction.diagnoses] == [
        (d.coding, d.probability) for d in without.diagnoses
    ]


def test_a_note_in_another_language_does_not_touch_those_beside_it(predictor: Predictor, case: CaseInput) -> None:
    foreign = replace(case.notes[0], id="foreign", text="Niega fiebre y tos.", language="es")
    prediction = predictor.predict(replace(case, notes=(foreign, *case.notes)))
    assert prediction.modalities["note"].evidence == tuple(note.id for note in case.notes)
    quality = prediction.modalities["note"].quality
    assert quality["otherLanguage"] == 1
    reason = "it is written in Spanish, and this model reads English alone"
    assert quality["setAside"] == [{"note": "foreign", "reason": reason}]
    assert (f"A further note was not read: {reason}.", ("foreign",)) in [
        (sentence.text, sentence.evidence) for sentence in prediction.explanation.summary
    ]
    assert prediction.diagnoses == predictor.predict(case).diagnoses
