"""What the parts of the uncertainty must do on an ensemble small enough to know: bootstrapped logistic regressions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from services.diagnosis.inference.uncertainty import decompose, epistemic

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
CENTRES = np.array([[0.0, 2.0], [1.7, -1.0], [-1.7, -1.0]])
CURVES = PolynomialFeatures(3, include_bias=False)


def draw(n: int, seed: int, noise: float = 0.0) -> tuple[Array, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Three clouds; `noise`: the share of labels drawn anew."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    points = CENTRES[labels] + rng.normal(size=(n, 2))
    again = rng.random(n) < noise
    return points, np.where(again, rng.integers(0, 3, n), labels)


def members(n: int, where: Array, *, noise: float = 0.0, count: int = 5) -> Array:
    """Probabilities [members, points, 3] of regressions on bootstrap samples of n cases."""
    points, labels = draw(n, 0, noise)
    rng, told = np.random.default_rng(1), []
    for _ in range(count):
        rows = np.concatenate([[int(np.flatnonzero(labels == k)[0]) for k in range(3)], rng.integers(0, n, n - 3)])
        model = LogisticRegression(C=10.0, max_iter=300, tol=1e-3).fit(CURVES.fit_transform(points[rows]), labels[rows])
        told.append(model.predict_proba(CURVES.fit_transform(where)))
    return np.stack(told)


FAMILIAR = draw(200, 9)[0]


def test_epistemic_falls_with_every_doubling_of_the_training_set() -> None:
    means = [float(epistemic(members(n, FAMILIAR)).mean()) for n in (60, 240, 960)]
    assert means == sorted(means, reverse=True)
    assert means[-1] < means[0] / 3


def test_epistemic_is_larger_between_the_clouds_than_where_training_was_dense() -> None:
    points = members(120, np.concatenate([CENTRES, np.zeros((1, 2))]))
    assert epistemic(points)[:3].max() < epistemic(points)[3]


def test_aleatoric_rises_with_the_noise_of_the_labels_and_stays_with_more_cases() -> None:
    def aleatoric(n: int, noise: float) -> float:
        told = members(n, FAMILIAR, noise=noise)
        return float(np.mean([decompose(told[:, i]).aleatoric for i in range(len(FAMILIAR))]))

    quiet, noisy, very = aleatoric(400, 0.0), aleatoric(400, 0.3), aleatoric(400, 0.6)
    assert quiet < noisy < very
    assert aleatoric(1200, 0.6) == pytest.approx(very, rel=0.15)


def test_all_cases_at_once_give_what_each_gives_alone() -> None:
    told = members(100, FAMILIAR[:20])
    np.testing.assert_allclose(epistemic(told), [decompose(told[:, i]).epistemic for i in range(20)])
