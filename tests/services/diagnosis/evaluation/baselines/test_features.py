from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.evaluation.baselines.features import Examples, Features, masks, pattern_codes, replays
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of

AVAILABLE = np.array([[True, True, True], [True, False, True], [False, True, False]])
THREE = ("image", "note", "vitals")
FEATURES = Features(np.zeros((3, 3, 2), np.float32), None, AVAILABLE, THREE)


def test_three_modalities_have_the_seven_patterns_of_the_bundle() -> None:
    assert set(masks(len(MODALITIES))) == {mask_of(pattern) for pattern in PATTERNS}


def test_the_code_of_a_pattern_is_a_sum_of_powers_of_two() -> None:
    assert pattern_codes(AVAILABLE).tolist() == [7, 5, 2]


def test_a_case_is_replayed_under_every_subset_of_what_it_holds() -> None:
    asked = {tuple(f.available[0]): rows.tolist() for rows, f in replays(FEATURES)}
    assert asked == {
        (True, False, False): [0, 1],
        (False, True, False): [0, 2],
        (False, False, True): [0, 1],
        (True, True, False): [0],
        (True, False, True): [0, 1],
        (False, True, True): [0],
        (True, True, True): [0],
    }


def test_an_expert_is_replayed_on_its_own_modality_alone() -> None:
    assert [rows.tolist() for rows, _ in replays(FEATURES, (1,))] == [[0, 2]]


def test_vectors_of_different_widths_are_filled_up_with_zeros() -> None:
    vectors = {"note": np.ones((1, 2)), "vitals": np.ones((1, 3))}
    features = Features.of_vectors(vectors, np.ones((1, 2), np.bool_))
    assert features.pooled.tolist() == [[[1, 1, 0], [1, 1, 1]]]
    assert features.modalities == ("note", "vitals")


def test_variants_of_a_case_stay_one_patient() -> None:
    assert Features.join([FEATURES, FEATURES]).groups.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_case_without_any_modality_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one modality"):
        FEATURES.under([True, False, False])


def test_vectors_that_do_not_fit_the_mask_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Features(np.zeros((2, 3, 2), np.float32), None, AVAILABLE, THREE)


def test_the_prior_counts_one_case_more_of_each_class() -> None:
    assert Examples(FEATURES, np.array([0, 0, 1]), 3).prior().tolist() == [3 / 6, 2 / 6, 1 / 6]
