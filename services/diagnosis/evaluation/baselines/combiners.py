"""Late fusion: what becomes of the single modalities' probabilities when they are averaged, stacked or multiplied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.baselines.baseline import (
    SMALLEST,
    Arrays,
    Baseline,
    OnStep,
    Shape,
    negative_log_likelihood,
    silent,
    softmax,
)
from services.diagnosis.evaluation.baselines.features import Array, Examples, Features, Rows, replays
from services.diagnosis.evaluation.baselines.learned import LearnedBaseline

INVERSE_PENALTIES = (0.01, 0.1, 1.0)
"""The grid of stacking, as long as that of the networks."""


class Combiner(Baseline):
    """Over fitted experts, one per modality in the order of the modalities."""

    def __init__(self, name: str, shape: Shape, experts: Sequence[LearnedBaseline]) -> None:
        super().__init__(name, shape)
        self.experts = tuple(experts)

    def learn(self, train: Examples, held_out: Examples, *, seed: int, on_step: OnStep = silent) -> None:
        """Nothing to learn."""
        on_step()

    def expert_log_probabilities(self, features: Features) -> Array:
        """[n, modalities, classes] calibrated; the prior where the modality is absent."""
        answers = np.stack([expert.probabilities(features) for expert in self.experts], axis=1)
        return np.asarray(np.log(np.maximum(answers, SMALLEST)))


class LateAverage(Combiner):
    """Mean of the probabilities of the modalities at hand: the sum rule.

    Kittler, Hatef, Duin, Matas: On combining classifiers, IEEE TPAMI 20(3):226-239, 1998.
    """

    def member_logits(self, features: Features) -> Array:
        weights = features.available / features.available.sum(axis=1, keepdims=True)
        mean = (np.exp(self.expert_log_probabilities(features)) * weights[..., None]).sum(axis=1)
        return np.asarray(np.log(np.maximum(mean, SMALLEST)))[None]


class NaiveBayesLogOdds(Combiner):
    """log p(k) + sum over the modalities at hand of log p(k | modality) - log p(k).

    The product rule of Kittler et al. 1998: optimal where the modalities are independent given the class.
    """

    def member_logits(self, features: Features) -> Array:
        prior = np.log(self.prior)
        gained = self.expert_log_probabilities(features) - prior
        total = prior + (gained * features.available[..., None]).sum(axis=1)
        return np.asarray(total - np.log(np.exp(total - total.max(1, keepdims=True)).sum(1, keepdims=True)))[None]


class LogisticStacking(Combiner):
    """Multinomial logistic regression on the experts' log-probabilities and the availability bits.

    Wolpert: Stacked generalization, Neural Networks 5:241-259, 1992. Learns from answers of experts that did not see
    the case, half of the cases without some of their modalities. scikit-learn fits; the weights are kept as arrays.
    """

    def __init__(self, name: str, shape: Shape, experts: Sequence[LearnedBaseline]) -> None:
        super().__init__(name, shape, experts)
        self.weights: Array = np.zeros((shape.modalities * (shape.classes + 1), shape.classes))
        self.intercept: Array = np.zeros(shape.classes)
        self.inverse_penalty = INVERSE_PENALTIES[0]

    def learn(self, train: Examples, held_out: Examples, *, seed: int, on_step: OnStep = silent) -> None:
        inputs, labels = self._training_set(train, seed)
        losses, fits = [], []
        for inverse_penalty in INVERSE_PENALTIES:
            fits.append(fit_logistic(inputs, labels, self.shape.classes, inverse_penalty))
            self.weights, self.intercept = fits[-1]
            losses.append(self._held_out_loss(held_out))
            on_step()
        best = int(np.argmin(losses))
        (self.weights, self.intercept), self.inverse_penalty = fits[best], INVERSE_PENALTIES[best]

    def _training_set(self, train: Examples, seed: int) -> tuple[Array, Rows]:
        """Every case as it is, and again under a random subset of what it holds."""
        rng = np.random.default_rng(seed)
        answers = [expert.out_of_fold for expert in self.experts if expert.out_of_fold is not None]
        if len(answers) < len(self.experts):
            raise ValueError("stacking learns from experts fitted in the same run")
        gains = self._gains(np.stack(answers, axis=1))
        available = train.features.available & ~np.isnan(gains).any(axis=-1)
        kept = available & (rng.random(available.shape) < 0.5)
        thinned = np.where(kept.any(axis=1, keepdims=True), kept, available)
        inputs = np.concatenate([self._inputs(gains, available), self._inputs(gains, thinned)])
        return inputs, np.concatenate([train.labels, train.labels])

    def _gains(self, logits: Array) -> Array:
        """What each expert's answer adds to the prior [n, modalities, classes]: 0 where it knows nothing."""
        return np.asarray(np.log(np.maximum(softmax(logits), SMALLEST)) - np.log(self.prior))

    @staticmethod
    def _inputs(gains: Array, available: NDArray[np.bool_]) -> Array:
        known = np.where(available[..., None], gains, 0.0)
        return np.concatenate([known.reshape(len(gains), -1), available], axis=1)

    def _held_out_loss(self, held_out: Examples) -> float:
        parts = [(rows, softmax(self.member_logits(features)[0])) for rows, features in replays(held_out.features)]
        labels = np.concatenate([held_out.labels[rows] for rows, _ in parts])
        return negative_log_likelihood(np.concatenate([answers for _, answers in parts]), labels)

    def member_logits(self, features: Features) -> Array:
        gains = np.zeros((len(features), self.shape.modalities, self.shape.classes))
        for m, expert in enumerate(self.experts):
            rows = np.flatnonzero(features.available[:, m])
            if len(rows):
                members = softmax(expert.member_logits(features.take(rows)))
                gains[rows, m] = self._gains(np.log(np.maximum(members.mean(axis=0), SMALLEST)))
        return (self._inputs(gains, features.available) @ self.weights + self.intercept)[None]

    def arrays(self) -> Arrays:
        return {"weights": self.weights, "intercept": self.intercept}

    def settings(self) -> dict[str, Any]:
        return {"inverse_penalty": self.inverse_penalty}

    def restore(self, arrays: Arrays, settings: Mapping[str, Any]) -> None:
        self.weights, self.intercept = arrays["weights"], arrays["intercept"]
        self.inverse_penalty = settings["inverse_penalty"]


def fit_logistic(inputs: Array, labels: Rows, classes: int, inverse_penalty: float) -> tuple[Array, Array]:
    """Weights [inputs, classes] and intercept [classes]; a class without a case is as good as impossible."""
    from sklearn.linear_model import LogisticRegression

    weights, intercept = np.zeros((inputs.shape[1], classes)), np.full(classes, np.log(SMALLEST))
    present = np.unique(labels)
    if len(present) == 1:
        intercept[present] = 0.0
        return weights, intercept
    model = LogisticRegression(C=inverse_penalty, max_iter=2000, tol=1e-3).fit(inputs, labels)
    if len(present) == 2:  # scikit-learn keeps one row for two classes
        weights[:, present[1]], intercept[present] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        weights[:, present], intercept[present] = model.coef_.T, model.intercept_
    return weights, intercept
