"""Selective prediction: does the risk fall when the least certain cases are left to a human, and for which classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import Array, Labels, Mask


@dataclass(frozen=True)
class RiskCoverage:
    """Cumulated cases and errors at each distinct confidence, highest first; each array is [resamples, thresholds]."""

    answered: Array
    errors: Array

    @property
    def n(self) -> Array:
        """[resamples]: all cases."""
        return self.answered[:, -1] if self.answered.shape[1] else np.zeros(len(self.answered))


def risk_coverage(confidence: Array, wrong: Array, weights: Array) -> RiskCoverage:
    """The curve over thresholds on the confidence [n]; cases of equal confidence are answered together or not at all.

    Args:
        wrong: [n], the loss of each case, here in {0, 1}.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)])
    drawn = weights[:, order]
    answered, errors = np.cumsum(drawn, axis=1), np.cumsum(drawn * wrong[order], axis=1)
    return RiskCoverage(answered[:, last], errors[:, last])


def aurc(curve: RiskCoverage) -> Array:
    """Area under the risk-coverage curve: the mean over cases of the risk among those at least as certain, [resamples].

    Geifman, Uziel & El-Yaniv 2019 (arXiv 1805.08206). Lower is better.
    """
    risk = np.divide(curve.errors, curve.answered, out=np.zeros_like(curve.errors), where=curve.answered > 0)
    each = np.diff(curve.answered, axis=1, prepend=0.0)
    return _per_case((each * risk).sum(1), curve.n)


def augrc(curve: RiskCoverage) -> Array:
    """Area under the generalised risk-coverage curve (Traub et al. 2024, arXiv 2407.01032), [resamples].

    The generalised risk at a threshold is the share of all cases that are answered wrongly; integrated over coverage by
    trapezia from (0, 0). It equals (1 - AUROC_f) a (1 - a) + (1 - a)^2 / 2 with accuracy a and the AUROC_f of
    confidence for "right against wrong": the average risk of an error that goes unnoticed. Lower is better.
    """
    width = np.diff(curve.answered, axis=1, prepend=0.0)
    before = np.concatenate([np.zeros((len(curve.errors), 1)), curve.errors[:, :-1]], axis=1)
    return _per_case((width * (curve.errors + before)).sum(1) / 2, curve.n**2)


def risk_at(curve: RiskCoverage, coverage: float) -> Array:
    """Errors per answered case when that share of the cases, the most certain, is answered, [resamples].

    Between two thresholds the tied cases are taken as if drawn at random: errors are interpolated.
    """
    risks = np.full(len(curve.answered), np.nan)
    for row, (answered, errors) in enumerate(zip(curve.answered, curve.errors, strict=True)):
        if len(answered) and answered[-1] > 0:
            wanted = coverage * answered[-1]
            at = int(np.searchsorted(answered, wanted))
            start, so_far = (answered[at - 1], errors[at - 1]) if at else (0.0, 0.0)
            inside = (wanted - start) / (answered[at] - start) * (errors[at] - so_far)
            risks[row] = (so_far + inside) / wanted
    return risks


def risks_at(probabilities: Array, labels: Labels, cases: Mask, weights: Array, coverage: float) -> tuple[Array, Array]:
    """Risk of those cases at that coverage of them, and of all of them, [resamples] each.

    The confidence is the largest probability. With `cases` = predicted as k it is what a threshold per predicted class
    gives (the risk is 1 - precision); with `cases` = truly k, what becomes of one disease (the risk is 1 - recall).
    """
    chosen = probabilities[cases]
    wrong = (chosen.argmax(1) != labels[cases]).astype(np.float64)
    curve = risk_coverage(chosen.max(1), wrong, weights[:, cases])
    return risk_at(curve, coverage), risk_at(curve, 1.0)


def _per_case(total: Array, n: Array) -> Array:
    return np.asarray(np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0))
