"""Boosted trees and logistic regression on all vectors side by side; both fitted by scikit-learn, neither stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.baselines.baseline import (
    SMALLEST,
    Baseline,
    OnStep,
    Shape,
    negative_log_likelihood,
    silent,
)
from services.diagnosis.evaluation.baselines.features import Array, Examples, Features, replays

Estimator = Any
"""A scikit-learn classifier; the library has no types."""
ROUNDS = 200


class ClassicalBaseline(Baseline):
    """One scikit-learn classifier, chosen among a few; entries of an absent modality are unknown (NaN)."""

    def __init__(self, name: str, shape: Shape, choices: tuple[Callable[[int, int], Estimator], ...]) -> None:
        super().__init__(name, shape)
        self.choices = choices
        self.estimator: Estimator = None
        self.chosen = 0
        self.known: NDArray[np.bool_] = np.zeros(0, np.bool_)
        """[columns] those that any training case knows; scikit-learn 1.9 cannot bin the others."""

    def learn(self, train: Examples, held_out: Examples, *, seed: int, on_step: OnStep = silent) -> None:
        from threadpoolctl import threadpool_limits

        inputs, losses, fitted = columns(train.features), [], []
        self.known = np.asarray(~np.isnan(inputs).all(axis=0))
        for build in self.choices:
            with threadpool_limits(1):  # the cores are shared by whole folds
                self.estimator = build(len(train), seed).fit(inputs[:, self.known], train.labels)
                losses.append(self._held_out_loss(held_out))
            fitted.append(self.estimator)
            on_step()
        self.chosen = int(np.argmin(losses))
        self.estimator = fitted[self.chosen]

    def _held_out_loss(self, held_out: Examples) -> float:
        parts = [(rows, np.exp(self.member_logits(features)[0])) for rows, features in replays(held_out.features)]
        labels = np.concatenate([held_out.labels[rows] for rows, _ in parts])
        return negative_log_likelihood(np.concatenate([answer for _, answer in parts]), labels)

    def member_logits(self, features: Features) -> Array:
        answers = np.full((len(features), self.shape.classes), SMALLEST)
        answers[:, self.estimator.classes_] = self.estimator.predict_proba(columns(features)[:, self.known])
        return np.asarray(np.log(np.maximum(answers, SMALLEST)))[None]


def columns(features: Features) -> Array:
    """[n, modalities * dim] with NaN where a modality is absent."""
    there = features.available[..., None]
    return np.where(there, features.pooled.astype(np.float64), np.nan).reshape(len(features), -1)


def gradient_boosting(shape: Shape) -> ClassicalBaseline:
    """Histogram gradient boosting (Ke et al., NeurIPS 2017), which takes unknown entries as they are."""
    return ClassicalBaseline("gradient-boosting", shape, tuple(_boosting(rate) for rate in (0.02, 0.05, 0.1)))


def logistic_regression(shape: Shape) -> ClassicalBaseline:
    """Medians for unknown entries, which are marked; standardised by the training cases."""
    return ClassicalBaseline("logistic-regression", shape, tuple(_logistic(c) for c in (0.001, 0.01, 0.1)))


def _boosting(learning_rate: float) -> Callable[[int, int], Estimator]:
    def build(n: int, seed: int) -> Estimator:
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            learning_rate=learning_rate,
            max_iter=ROUNDS,
            max_leaf_nodes=8,
            min_samples_leaf=min(40, max(3, n // 20)),
            l2_regularization=1.0,
            early_stopping=False,  # it would learn from a tenth fewer cases; the rate is chosen instead
            random_state=seed,
        )

    return build


def _logistic(inverse_penalty: float) -> Callable[[int, int], Estimator]:
    def build(_: int, seed: int) -> Estimator:
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=inverse_penalty, max_iter=2000, tol=1e-3, random_state=seed),
        )

    return build
