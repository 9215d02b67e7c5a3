"""All figures of one pattern under given weights: the statistic that the sample and its resamples share."""

from __future__ import annotations

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import PLUG_IN, Array, Statistic
from services.diagnosis.evaluation.metrics.calibration import (
    brier_score,
    class_bins,
    log_losses,
    squared_calibration_error,
    top_label_bins,
)
from services.diagnosis.evaluation.metrics.coverage import set_figures
from services.diagnosis.evaluation.metrics.decomposition import decompose_brier
from services.diagnosis.evaluation.metrics.discrimination import (
    accuracy,
    auroc_and_precision,
    macro,
    per_class,
    weighted_mean,
)
from services.diagnosis.evaluation.metrics.oracle import oracle_figures
from services.diagnosis.evaluation.metrics.recalibration import Fit, fit_binary_slope, fit_intercept, fit_slope
from services.diagnosis.evaluation.metrics.selective import augrc, aurc, risk_at, risk_coverage, risks_at
from services.diagnosis.evaluation.metrics.view import View

SHARE_ANSWERED = 0.8


def figures_of(view: View) -> Statistic:
    """Weights [resamples, n] -> every figure of the pattern, [resamples] or [resamples, classes]."""
    pooled, slopes, intercepts = _regressions(view)

    def statistic(weights: Array) -> dict[str, Array]:
        found = headline(view, weights)
        found |= _calibration(view, found["brier"], weights)
        found |= _selective(view, weights)
        found["calibration_slope"] = _coefficient(pooled, weights)
        found["class_calibration_slope"] = np.stack([_coefficient(fit, weights) for fit in slopes], axis=1)
        found["class_calibration_intercept"] = np.stack([_coefficient(fit, weights) for fit in intercepts], axis=1)
        if view.sets is not None:
            found |= set_figures(view.sets, view.labels, weights)
        known = ~np.isnan(view.deteriorated)
        if known.any():
            happened = view.deteriorated[known] == 1
            found["deterioration_auroc"], _ = auroc_and_precision(view.worse[known], happened, weights[:, known])
        if view.posterior is not None:
            found |= oracle_figures(view.posterior, view.probabilities, view.labels, found, weights)
        return found

    return statistic


def headline(view: View, weights: Array) -> dict[str, Array]:
    """Discrimination and the proper scores: what two subjects are compared by."""
    aurocs, precisions = per_class(view.probabilities, view.labels, weights)
    return {
        "macro_auroc": macro(aurocs),
        "macro_auprc": macro(precisions),
        "accuracy": accuracy(view.probabilities, view.labels, weights),
        "brier": brier_score(view.probabilities, view.labels, weights),
        "nll": weighted_mean(log_losses(view.probabilities, view.labels), weights),
        "class_auroc": aurocs,
        "class_auprc": precisions,
    }


def _calibration(view: View, brier: Array, weights: Array) -> dict[str, Array]:
    top = squared_calibration_error(top_label_bins(view.probabilities, view.labels, weights))
    bins = [class_bins(view.probabilities, view.labels, k, weights) for k in range(view.classes)]
    each = [squared_calibration_error(one) for one in bins]
    return {
        "ece_squared": top[0],
        "ece_squared" + PLUG_IN: top[1],
        "class_ece_squared": np.stack([one[0] for one in each], axis=1),
        "class_ece_squared" + PLUG_IN: np.stack([one[1] for one in each], axis=1),
        **decompose_brier(brier, bins),
    }


def _selective(view: View, weights: Array) -> dict[str, Array]:
    """Risk over all cases, and at 80 and 100 % coverage per predicted class and per true class."""
    predicted = view.probabilities.argmax(1)
    curve = risk_coverage(view.probabilities.max(1), (predicted != view.labels).astype(np.float64), weights)
    found = {
        "aurc": aurc(curve),
        "augrc": augrc(curve),
        "risk_at_80": risk_at(curve, SHARE_ANSWERED),
        "risk_at_100": risk_at(curve, 1.0),
    }
    for name, grouping in (("class", predicted), ("class_true", view.labels)):
        pairs = [
            risks_at(view.probabilities, view.labels, grouping == k, weights, SHARE_ANSWERED)
            for k in range(view.classes)
        ]
        found[f"{name}_risk_at_80"] = np.stack([pair[0] for pair in pairs], axis=1)
        found[f"{name}_risk_at_100"] = np.stack([pair[1] for pair in pairs], axis=1)
    return found


def _regressions(view: View) -> tuple[Fit | None, list[Fit | None], list[Fit | None]]:
    """Pooled slope, slope per class and intercept per class; None where the class is all or nothing."""
    counts = np.bincount(view.labels, minlength=view.classes)
    mixed = [0 < count < len(view.labels) for count in counts]
    own = [(view.probabilities[:, k], view.labels == k) for k in range(view.classes)]
    pooled = fit_slope(view.probabilities, view.labels) if any(mixed) else None
    slopes = [fit_binary_slope(*pair) if able else None for pair, able in zip(own, mixed, strict=True)]
    intercepts = [fit_intercept(*pair) if able else None for pair, able in zip(own, mixed, strict=True)]
    return pooled, slopes, intercepts


def _coefficient(fit: Fit | None, weights: Array) -> Array:
    """The first coefficient under each row of weights."""
    return np.full(len(weights), np.nan) if fit is None else fit.resampled(weights)[:, 0]
