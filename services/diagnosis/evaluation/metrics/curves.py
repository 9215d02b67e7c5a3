"""Calibration to look at: bins with exact intervals, and a smooth curve."""

from __future__ import annotations

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import Array, once
from services.diagnosis.evaluation.metrics.calibration import BINS, bin_equally
from services.diagnosis.evaluation.metrics.coverage import exact_interval

POINTS = 51
KNOTS = 5
_TINY = 1e-6


def reliability_curve(predictions: Array, came_true: Array, bins: int = BINS) -> list[dict[str, float]]:
    """Bins of equal mass along the predictions: `{predicted, observed, low, high, n}`, lowest first.

    `predicted` and `observed` are means of the bin; low and high the exact 95 % interval of `observed` (Clopper &
    Pearson).
    """
    binned = bin_equally(predictions, came_true, once(len(predictions)), bins)
    points = []
    for n, predicted, observed in zip(binned.mass[0], binned.predicted[0], binned.observed[0], strict=True):
        if n:
            low, high = exact_interval(round(n * observed), int(n))
            points.append(
                {"predicted": float(predicted), "observed": float(observed), "low": low, "high": high, "n": int(n)}
            )
    return points


def smooth_curve(predictions: Array, came_true: Array) -> dict[str, list[float]] | None:
    """The flexible calibration curve: logistic regression on a cubic spline of the log-odds (Van Calster et al. 2016).

    Five knots at quantiles, 51 points between the 1st and 99th percentile of the predictions; nearly unpenalised.
    Returns: `{predicted, observed}`; None where one outcome is missing or the predictions hardly vary.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    clipped = np.clip(predictions, _TINY, 1 - _TINY)
    odds = np.log(clipped) - np.log1p(-clipped)
    knots = np.unique(np.quantile(odds, np.linspace(0, 1, KNOTS)))
    if len(knots) < KNOTS or len(np.unique(came_true)) < 2:
        return None
    spline = SplineTransformer(degree=3, knots=knots[:, None], extrapolation="linear", include_bias=False)
    model = make_pipeline(spline, LogisticRegression(C=100.0, max_iter=1000)).fit(odds[:, None], came_true)
    low, high = np.quantile(odds, (0.01, 0.99))
    grid = np.linspace(low, high, POINTS)
    observed = model.predict_proba(grid[:, None])[:, 1]
    return {"predicted": (1 / (1 + np.exp(-grid))).tolist(), "observed": observed.tolist()}
