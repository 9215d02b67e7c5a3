from __future__ import annotations

import numpy as np

from services.diagnosis.inference.ood import REJECT_BELOW, OodReference, fit_ood

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(6, 6))


def draw(n: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(np.random.default_rng(seed).normal(size=(n, 6)) @ MIX)


def test_one_familiar_input_in_a_hundred_is_rejected() -> None:
    reference = fit_ood(draw(2000, 1), draw(2000, 2))
    rejected = np.mean([reference.p_value(row) < REJECT_BELOW for row in draw(5000, 3)])
    assert 0.004 < rejected < 0.018


def test_a_stranger_along_a_quiet_direction_is_rejected() -> None:
    reference = fit_ood(draw(2000, 1), draw(2000, 2))
    quiet = np.linalg.eigh(np.cov(draw(2000, 1).T))[1][:, 0]
    assert reference.p_value(draw(1, 4)[0] + 8 * quiet) < REJECT_BELOW


def test_the_p_value_is_the_share_of_inputs_at_least_as_far() -> None:
    one = np.ones(1)
    reference = OodReference(np.zeros(1), one, np.eye(1), np.array([1.0, 2.0, 3.0, 4.0]))
    assert reference.p_value(np.array([2.5])) == (1 + 2) / (4 + 1)


def test_what_is_stored_gives_the_same_p_value() -> None:
    reference = fit_ood(draw(500, 1), draw(300, 2))
    again = OodReference.from_arrays(reference.to_arrays())
    assert [again.p_value(row) for row in draw(50, 3)] == [reference.p_value(row) for row in draw(50, 3)]
