from __future__ import annotations

import numpy as np
import pytest
import torch

from services.diagnosis.inference.calibration import BetaCurve, IsotonicCurve, bend
from services.diagnosis.training.curves import choose_curve, fit_beta, fit_isotonic

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def draw(n: int, seed: int, power: float) -> tuple[Array, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Truth from p; told is p of class 0 to a power, the rest shared out: a wrong shape no temperature undoes."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.ones(3), n)
    labels = (truth.cumsum(1) > rng.random((n, 1))).argmax(1)
    first = truth[:, :1] ** power
    told = np.concatenate([first, truth[:, 1:] / truth[:, 1:].sum(1, keepdims=True) * (1 - first)], axis=1)
    return told[None], labels


def surprise(probabilities: Array, labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def test_the_identity_bends_nothing() -> None:
    p = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64)
    identity = BetaCurve(torch.tensor([[1.0] * 3, [1.0] * 3, [0.0] * 3], dtype=torch.float64))
    torch.testing.assert_close(bend(identity, p), p)


def test_a_beta_curve_is_that_of_its_formula() -> None:
    # odds = e^0 p^2 / (1 - p)^1 at p = 0.5: 0.25 / 0.5 = 0.5, so a probability of 1/3.
    curve = BetaCurve(torch.tensor([[2.0], [1.0], [0.0]], dtype=torch.float64))
    assert float(curve(torch.tensor([0.5], dtype=torch.float64))) == pytest.approx(1 / 3)


def test_an_isotonic_curve_runs_straight_between_its_knots_and_ends_at_the_last() -> None:
    curve = IsotonicCurve(torch.tensor([[0.2, 0.6]], dtype=torch.float64), torch.tensor([[0.1, 0.5]]))
    found = curve(torch.tensor([[0.1], [0.4], [0.9]], dtype=torch.float64))[:, 0]
    torch.testing.assert_close(found, torch.tensor([0.1, 0.3, 0.5], dtype=torch.float64))


def test_isotonic_levels_are_those_of_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    members, labels = draw(3000, 0, 2.0)
    curve = fit_isotonic(members, labels)
    expected = IsotonicRegression(y_min=1e-4, y_max=1 - 1e-4, out_of_bounds="clip").fit(members[0, :, 0], labels == 0)
    np.testing.assert_allclose(curve.y[0].numpy(), expected.predict(curve.x[0].numpy()))


def test_honest_probabilities_get_no_curve() -> None:
    assert choose_curve(*draw(3000, 1, 1.0)) is None


def test_a_wrong_shape_gets_the_curve_that_mends_it() -> None:
    chosen = choose_curve(*draw(6000, 2, 2.5))
    assert chosen is not None
    members, labels = draw(6000, 3, 2.5)
    mended = bend(chosen, torch.from_numpy(members)).mean(0).numpy()
    assert surprise(mended, labels) < surprise(members[0], labels) - 0.02


def test_beta_curves_never_fall() -> None:
    curve = fit_beta(*draw(2000, 4, 2.0))
    line = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)[:, None].expand(-1, 3)
    assert bool((curve(line).diff(dim=0) > 0).all())
