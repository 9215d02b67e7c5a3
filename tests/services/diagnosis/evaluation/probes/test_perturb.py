from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from services.diagnosis.evaluation.probes.fills import FILLS, road_fill
from services.diagnosis.evaluation.probes.perturb import GRID, keep_readings, units_of
from services.diagnosis.inference.prediction import Explanation, NoteExplanation, NoteSpan, VitalsExplanation
from shared.codes import HEART_RATE
from tests.support.known_subject import PATCH, TEXT, WORD, KnownSubject, known_case

CASE = known_case().inputs
FILL = {"image": "blur", "note": "remove", "vitals": "drop"}


@pytest.mark.parametrize("name", FILL)
def test_nothing_removed_changes_nothing(name: str) -> None:
    units = units_of(CASE, name, FILL[name], seed=0)
    same = units.without(CASE, np.zeros(units.count, np.bool_))
    np.testing.assert_array_equal(same.images[0].pixels, CASE.images[0].pixels)
    assert same.notes == CASE.notes
    assert same.vitals is not None
    assert CASE.vitals is not None
    np.testing.assert_array_equal(same.vitals.values, CASE.vitals.values)


@pytest.mark.parametrize("name", FILL)
def test_the_units_of_an_exact_explanation_are_the_sign_and_sum_to_its_contribution(name: str) -> None:
    units = units_of(CASE, name, FILL[name], seed=0)
    importance = units.importance(KnownSubject().explain(CASE).explanation)
    assert importance.sum() == pytest.approx(3.0)
    gone = units.without(CASE, importance > 0)
    assert KnownSubject().signs(gone).get(name, 0.0) < 0.35
    assert (importance > 0).sum() == {"image": 4, "note": 1, "vitals": 1}[name]


@pytest.mark.parametrize("fill", FILLS)
def test_a_fill_touches_the_removed_patches_alone(fill: str) -> None:
    units = units_of(CASE, "image", fill, seed=0)
    removed = np.zeros((GRID, GRID), np.bool_)
    removed[4:6, 10:12] = True
    before, after = CASE.images[0].pixels, units.without(CASE, removed.ravel()).images[0].pixels
    outside = np.ones_like(before, np.bool_)
    outside[PATCH] = False
    np.testing.assert_array_equal(after[outside], before[outside])
    assert np.abs(after[PATCH] - 1.0).min() > 0.3


def test_noisy_linear_imputation_restores_a_slope() -> None:
    """A linear field is its own mean over the eight neighbours, so it solves ROAD's equations exactly."""
    slope = np.linspace(0.1, 0.9, 64, dtype=np.float32)[None].repeat(64, 0)
    removed = np.zeros((GRID, GRID), np.bool_)
    removed[5:10, 5:10] = True
    error = (road_fill(slope, GRID, 0)(removed) - slope)[20:40, 20:40]
    assert abs(error.mean()) < 0.01
    assert 0.02 < error.std() < 0.04


def test_words_are_taken_out_or_masked_where_they_stand() -> None:
    word = TEXT.split().index(WORD)
    for fill, expected in (("remove", "There are  today."), ("mask", "There are [MASK] today.")):
        units = units_of(CASE, "note", fill, seed=0)
        removed = np.zeros(units.count, np.bool_)
        removed[word] = True
        assert expected in units.without(CASE, removed).notes[0].text


def test_a_span_s_contribution_is_shared_by_its_words_in_proportion_to_their_letters() -> None:
    units = units_of(CASE, "note", "remove", seed=0)
    span = NoteSpan(0, len("The patient"), 1.0, False)
    importance = units.importance(Explanation(notes=(NoteExplanation(CASE.notes[0].id, (span,)),)))
    np.testing.assert_allclose(importance[:3], [0.3, 0.7, 0.0])


def test_a_window_s_contribution_is_shared_by_its_readings() -> None:
    units = units_of(CASE, "vitals", "drop", seed=0)
    window = VitalsExplanation(HEART_RATE.code, CASE.as_of - timedelta(hours=18), CASE.as_of, 3.0)
    importance = units.importance(Explanation(vitals=(window,)))
    assert sorted(importance[importance > 0]) == pytest.approx([1.0, 1.0, 1.0])


def test_without_any_reading_the_vitals_are_absent() -> None:
    units = units_of(CASE, "vitals", "drop", seed=0)
    assert units.without(CASE, np.ones(units.count, np.bool_)).vitals is None
    assert CASE.vitals is not None
    assert keep_readings(CASE.vitals, np.zeros(len(CASE.vitals.values), np.bool_)) is None


def test_a_modality_that_is_absent_has_no_units() -> None:
    with pytest.raises(ValueError, match="no note"):
        units_of(replace(CASE, notes=()), "note", "remove", seed=0)
