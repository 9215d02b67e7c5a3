from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.inference.ood import LOOKS, REJECT_BELOW, OodReference, fit_ood

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(6, 6))
DRAWN = 6


def draw(n: int, seed: int) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=(n, DRAWN)) @ MIX)


@pytest.fixture(scope="module")
def reference() -> OodReference:
    return fit_ood(draw(1500, 1), draw(1500, 2))


def test_one_familiar_input_in_a_hundred_is_rejected(reference: OodReference) -> None:
    rejected = np.mean([reference.p_value(row) < REJECT_BELOW for row in draw(3000, 3)])
    assert 0.003 < rejected < 0.02


def test_a_stranger_along_a_quiet_direction_is_rejected(reference: OodReference) -> None:
    quiet = np.linalg.eigh(np.cov(draw(2000, 1).T))[1][:, 0]
    assert reference.p_value(draw(1, 4)[0] + 8 * quiet) < REJECT_BELOW


def test_one_statistic_far_out_of_range_is_named(reference: OodReference) -> None:
    strange = draw(1, 5)[0]
    strange[4] = 1e4
    assert reference.p_value(strange) < REJECT_BELOW
    assert reference.most_extreme(strange) == 4


def test_features_of_the_encoder_have_no_range_of_their_own() -> None:
    reference = fit_ood(draw(500, 1), draw(500, 2), encoded=4)
    assert (reference.excess(np.full(DRAWN, 1e3))[:4] == 0).all()
    assert (reference.excess(np.full(DRAWN, 1e3))[4:] > 10).all()


def test_the_mahalanobis_distance_is_that_of_scipy(reference: OodReference) -> None:
    from scipy.spatial.distance import mahalanobis

    row = draw(1, 6)[0]
    expected = mahalanobis((row - reference.mean) / reference.scale, np.zeros(DRAWN), reference.precision)
    assert reference.looks(row)[LOOKS.index("distance")] == pytest.approx(expected)


def test_unknown_features_do_not_count_against_an_input(reference: OodReference) -> None:
    row = draw(1, 7)[0]
    known = reference.distance(row)
    row[2] = np.nan
    assert np.isfinite(reference.distance(row))
    assert reference.distance(row) < known + 1
    assert reference.excess(row)[2] == 0


def test_a_feature_that_training_never_had_is_ignored() -> None:
    train, calibration = draw(300, 1), draw(300, 2)
    train[:, 3] = calibration[:, 3] = np.nan
    reference = fit_ood(train, calibration)
    without, given = draw(1, 4)[0], draw(1, 4)[0]
    without[3], given[3] = np.nan, 1e3
    assert np.isfinite(reference.distance(without))


def test_the_p_value_is_the_share_of_inputs_at_least_as_far(reference: OodReference) -> None:
    row = draw(1, 8)[0]
    far = reference.distance(row)
    four = replace(reference, distances=np.array([far - 2, far - 1, far + 1, far + 2]))
    assert four.p_value(row) == (1 + 2) / (4 + 1)


def test_what_is_stored_gives_the_same_p_value(reference: OodReference) -> None:
    again = OodReference.from_arrays(reference.to_arrays())
    assert [again.p_value(row) for row in draw(50, 3)] == [reference.p_value(row) for row in draw(50, 3)]


def test_a_reference_is_small() -> None:
    wide = np.random.default_rng(0).normal(size=(3000, 210))
    size = sum(array.nbytes for array in fit_ood(wide, wide[:200]).to_arrays().values())
    assert size < 330_000
