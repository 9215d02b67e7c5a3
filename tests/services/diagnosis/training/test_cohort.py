from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.inputs import Preprocessor
from services.diagnosis.model.config import TASKS, ModelConfig
from services.diagnosis.model.preprocessing.tabular import TabularScale
from services.diagnosis.model.preprocessing.vitals import VitalsScale
from services.diagnosis.model.preprocessing.word_order import WordOrder
from services.diagnosis.training.cohort import Cohort, draw_cohort, draw_part, draw_partial, draw_record
from services.diagnosis.training.vocabulary import SPECIAL, train_tokenizer
from services.diagnosis.ward.generate import generate_patient


def test_a_training_image_is_what_serving_would_make_of_the_case() -> None:
    record = draw_record(9, 3, 128)
    case = generate_patient(9, 3, side=512).case()
    scale, facts = VitalsScale((0.0,) * 8, (1.0,) * 8), TabularScale.fit([record.facts])
    tokenizer, order = train_tokenizer([record.text], size=300), WordOrder.fit([], vocabulary=300)
    served = Preprocessor(ModelConfig(), tokenizer, scale, facts, order).images(case.images)
    np.testing.assert_allclose(served.inputs["pixels"][0, 0, 0].numpy(), record.square / 255, atol=1 / 255)


def test_a_cohort_is_the_same_drawn_at_once_or_in_parts() -> None:
    whole, rest = draw_cohort(9, 0, 4, side=128), draw_cohort(9, 2, 2, side=128)
    assert [record.text for record in whole.records[2:]] == [record.text for record in rest.records]
    np.testing.assert_array_equal(whole.records[3].square, rest.records[1].square)


def test_another_seed_is_another_cohort() -> None:
    assert draw_cohort(9, 0, 2, side=128).digest() != draw_cohort(10, 0, 2, side=128).digest()


def test_the_special_pieces_come_first() -> None:
    tokenizer = train_tokenizer(["fever and cough"] * 3, size=100)
    assert [tokenizer.token_to_id(piece) for piece in SPECIAL] == [0, 1, 2, 3, 4]


def test_the_same_notes_give_the_same_pieces() -> None:
    texts = [draw_record(9, index, 128).text for index in range(6)]
    assert len({train_tokenizer(texts, size=1500).to_str() for _ in range(4)}) == 1


def test_a_partial_case_is_the_complete_patient_with_one_modality() -> None:
    complete, note, stream = draw_record(9, 3, 128), draw_part("note", 9, 3), draw_part("vitals", 9, 3)
    assert (note.text, note.spans, note.label) == (complete.text, complete.spans, complete.label)
    np.testing.assert_array_equal(stream.readings.values, complete.readings.values)
    assert note.posterior["note"] == pytest.approx(complete.posterior["note"])
    assert stream.worsening["vitals"] == pytest.approx(complete.worsening["vitals"])
    assert stream.severity_beliefs["vitals"] == pytest.approx(complete.severity_beliefs["vitals"])
    assert (note.severity, stream.severity) == (complete.severity, complete.severity)
    assert note.square.size == 0
    assert not stream.text


def test_a_film_is_not_drawn_without_its_patient() -> None:
    with pytest.raises(ValueError, match="complete"):
        draw_part("image", 9, 3)


def test_beliefs_are_near_the_labels_that_were_drawn() -> None:
    cohort = draw_partial("vitals", 9, 0, 400)
    diagnosis, worse, levels = cohort.beliefs("vitals", TASKS).values()
    # E[1[label = k]] = E[p(k)], so the mean belief is the share of the labels up to 3 standard errors.
    shares = np.bincount(cohort.labels, minlength=diagnosis.shape[1]) / len(cohort)
    np.testing.assert_allclose(diagnosis.mean(0), shares, atol=3 * (0.2 * 0.8 / len(cohort)) ** 0.5)
    assert worse.mean() == pytest.approx(cohort.deterioration.mean(), abs=3 * (0.25 / len(cohort)) ** 0.5)
    shares = np.bincount(cohort.severity, minlength=3) / len(cohort)
    np.testing.assert_allclose(levels.mean(0), shares, atol=3 * (0.25 / len(cohort)) ** 0.5)


def test_what_a_fragment_lets_believe_of_the_severity_is_near_the_levels_that_were_drawn() -> None:
    cut = draw_partial("note", 9, 0, 200, fragments=1.0)
    silent = [record for record in cut.records if "confusion" not in record.findings]
    assert len(silent) > 20
    believed = np.array([record.severity_beliefs["note"] for record in silent])
    np.testing.assert_allclose(believed.sum(1), 1)
    shares = np.bincount([record.severity or 0 for record in silent], minlength=3) / len(silent)
    np.testing.assert_allclose(believed.mean(0), shares, atol=3 * (0.25 / len(silent)) ** 0.5)


def test_partial_cohorts_do_not_depend_on_the_number_of_processes() -> None:
    alone, shared = (
        draw_partial("note", 9, 0, 20, fragments=0.5),
        draw_partial("note", 9, 0, 20, fragments=0.5, processes=2),
    )
    assert alone.digest() == shared.digest()


def test_a_cohort_of_nobody_has_no_groups() -> None:
    assert Cohort(()).groups() == {}
