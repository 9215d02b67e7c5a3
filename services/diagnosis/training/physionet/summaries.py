"""Summaries of each variable that are kept up to date reading by reading, and what is fitted to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.datasets.physionet_variables import VARIABLES
from services.diagnosis.training.physionet.stays import FACTS, Array, Stay

SUMMARIES = ("count", "first", "last", "min", "max", "mean", "std", "slope")


@dataclass
class RunningSummary:
    """One variable, O(1) per reading, oldest first: Welford's updates of means, squares and the product of v and t."""

    count: int = 0
    first: float = math.nan
    last: float = math.nan
    low: float = math.inf
    high: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    """Sum of (v - mean)²."""
    mean_h: float = 0.0
    squares_h: float = 0.0
    products: float = 0.0
    """Sum of (t - mean_h)(v - mean)."""

    def add(self, t: float, v: float) -> None:
        self.count += 1
        if self.count == 1:
            self.first = v
        self.last, self.low, self.high = v, min(self.low, v), max(self.high, v)
        step, step_h = v - self.mean, t - self.mean_h
        self.mean += step / self.count
        self.mean_h += step_h / self.count
        self.squares += step * (v - self.mean)
        self.squares_h += step_h * (t - self.mean_h)
        self.products += step_h * (v - self.mean)

    def row(self) -> tuple[float, ...]:
        """As `SUMMARIES`; NaN for all but the count where there is no reading."""
        if not self.count:
            return (0.0, *[math.nan] * (len(SUMMARIES) - 1))
        slope = self.products / self.squares_h if self.squares_h > 1e-9 else 0.0
        spread = math.sqrt(max(self.squares, 0.0) / self.count)
        return float(self.count), self.first, self.last, self.low, self.high, self.mean, spread, slope


def summarise(stay: Stay) -> Array:
    """[variables x 8 + facts]: `SUMMARIES` of each variable, then the facts; NaN for what is not known."""
    running = [RunningSummary() for _ in VARIABLES]
    facts = np.full(len(FACTS), np.nan)
    facts[3:] = 0  # the units: in one of them, and not in the others
    for variable, t, v in zip(stay.variables.tolist(), stay.times_h.tolist(), stay.values.tolist(), strict=True):
        if variable < len(running):
            running[variable].add(t, v)
        else:
            facts[variable - len(running)] = v
    return np.concatenate([np.array([one.row() for one in running]).ravel(), facts])


BOOSTED: Mapping[str, Any] = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 8, "l2_regularization": 1.0}


def fit_boosted(train: Array, died: NDArray[np.bool_], test: Array, seed: int) -> Array:
    """Log-odds of boosted trees on the summaries."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(random_state=seed, **BOOSTED).fit(train, died)
    return np.asarray(model.decision_function(test), np.float64)


def fit_linear(train: Array, died: NDArray[np.bool_], test: Array) -> Array:
    """Log-odds of logistic regression: medians for what is missing, and flags that say so."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        QuantileTransformer(n_quantiles=200, output_distribution="normal"),
        LogisticRegression(C=0.003, max_iter=2000),
    ).fit(train, died)
    return np.asarray(model.decision_function(test), np.float64)
