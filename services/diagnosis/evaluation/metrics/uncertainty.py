"""Does doubt sit in the right place: on foreign inputs, and on what few examples taught."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.bootstrap import (
    RESAMPLES,
    Array,
    Mask,
    Resamples,
    bootstrap,
    number,
)
from services.diagnosis.evaluation.metrics.discrimination import auroc_and_precision


def mutual_information(members: Array) -> Array:
    """Entropy of the mean minus mean of the entropies, in nats: [members, ..., classes] -> [...] (arXiv 1710.07283)."""
    from scipy.special import entr

    information = entr(members.mean(0)).sum(-1) - entr(members).sum(-1).mean(0)
    return np.asarray(np.maximum(information, 0.0))


def false_acceptance(scores: Array, foreign: Mask, weights: Array, *, accepted: float = 0.95) -> Array:
    """Share of foreign inputs accepted at the lowest threshold that accepts 95 % of the familiar ones, [resamples].

    FPR at 95 % TPR with "familiar" as the positive class (Liang, Li & Srikant 2018, arXiv 1706.02690): what passes
    where ordinary inputs pass. Others (OpenOOD, torch-uncertainty) take "foreign" as positive: their figures differ.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)])
    drawn, outside = weights[:, order], foreign[order]
    ours = np.cumsum(drawn * ~outside, axis=1)[:, last]
    others = np.cumsum(drawn * outside, axis=1)[:, last]
    first = (ours >= accepted * ours[:, -1:] - 1e-9).argmax(1)
    rate = np.full(len(weights), np.nan)
    defined = (ours[:, -1] > 0) & (others[:, -1] > 0)
    rate[defined] = others[defined, first[defined]] / others[defined, -1]
    return rate


def detect(
    familiar: Array,
    foreign: Array,
    *,
    patients: tuple[NDArray[np.str_], NDArray[np.str_]] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """How well a score (higher: more foreign) tells foreign inputs from familiar ones.

    Args:
        familiar, foreign: scores [n], [m]; NaN (absent modality) is left out.
        patients: pseudonyms of both; where the foreign inputs are the familiar ones spoilt, the bootstrap is paired.
    Returns: `{n_familiar, n_foreign, auroc, fpr95, intervals: {auroc: {low, high}, fpr95: {low, high}}}`.
    """
    scores = np.concatenate([familiar, foreign])
    outside = np.arange(len(scores)) >= len(familiar)
    names = np.arange(len(scores)).astype(str) if patients is None else np.concatenate(patients)
    known = ~np.isnan(scores)
    scores, outside, names = scores[known], outside[known], names[known]

    def statistic(weights: Array) -> dict[str, Array]:
        return {
            "auroc": auroc_and_precision(scores, outside, weights)[0],
            "fpr95": false_acceptance(scores, outside, weights),
        }

    counts = {"n_familiar": int((~outside).sum()), "n_foreign": int(outside.sum())}
    if min(counts.values()) == 0:
        return {**counts, "auroc": None, "fpr95": None, "reason": "one of the two groups is empty"}
    draws = Resamples.draw(names, seed=seed, resamples=resamples)
    figures = bootstrap(statistic, draws, np.arange(len(scores)))
    ends = {name: figures.interval(name) for name in figures.values}
    return {
        **counts,
        **{name: number(value) for name, value in figures.values.items()},
        "intervals": {name: {"low": number(low), "high": number(high)} for name, (low, high) in ends.items()},
    }


def spearman(first: Array, second: Array) -> float | None:
    """Rank correlation (Spearman 1904), such as of epistemic uncertainty with the size of the training set.

    None for fewer than three points or a constant.
    """
    from scipy.stats import spearmanr

    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return number(spearmanr(first, second).statistic)
