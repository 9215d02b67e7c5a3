"""Contiguous holes in the vital signs: what is lost when a wearable was off, or a sensor missing altogether."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, VitalsInput
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.bootstrap import once
from services.diagnosis.evaluation.metrics.discrimination import macro_auroc, weighted_mean
from services.diagnosis.evaluation.metrics.intervals import patient_weights
from services.diagnosis.evaluation.probes.asking import ask_all, restrict
from services.diagnosis.evaluation.probes.perturb import keep_readings
from services.diagnosis.evaluation.subject import Array, Subject

LAST_H = (6, 12, 24, 48)
SHARES = (0.25, 0.5, 0.75, 1.0)
RECORD_H = 72.0
RESAMPLES = 200
Kept = Callable[[VitalsInput, np.random.Generator], NDArray[np.bool_]]


def _without_last(hours: float) -> Kept:
    return lambda vitals, _: vitals.times_h <= -hours


def _without_block(share: float) -> Kept:
    def kept(vitals: VitalsInput, rng: np.random.Generator) -> NDArray[np.bool_]:
        start = rng.uniform(-RECORD_H, -share * RECORD_H)
        return (vitals.times_h < start) | (vitals.times_h > start + share * RECORD_H)

    return kept


def _without_signs(share: float) -> Kept:
    def kept(vitals: VitalsInput, rng: np.random.Generator) -> NDArray[np.bool_]:
        signs = sorted(set(vitals.codes))
        gone = rng.permutation(signs)[: round(share * len(signs))]
        return ~np.isin(vitals.codes, gone)

    return kept


GAPS: dict[str, Kept] = {
    **{f"last_{hours}h": _without_last(hours) for hours in LAST_H},
    **{f"block_{share:.0%}": _without_block(share) for share in SHARES[:-1]},
    **{f"signs_{share:.0%}": _without_signs(share) for share in SHARES},
}
"""What is missing -> which readings stay. `block`: of the last 72 hours, anywhere; `signs`: of the vital signs."""


def measure_gaps(
    subject: Subject,
    cases: Sequence[LabelledCase],
    task: str,
    *,
    seed: int,
    gaps: Mapping[str, Kept] = GAPS,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Macro-AUROC and log loss as vital signs go missing, alone and beside whatever else the case holds.

    Args:
        task: whose classes are the subject's labels.
        advance: called once per case.
    Returns: `n` (cases with vital signs whose task is known), then `vitals` and `all` -> `none` and each gap ->
        `macro_auroc`, `nll` and the loss against `none`, `macro_auroc_drop`, paired, with intervals over patients.
        A record without a single reading left is answered without vital signs; alone, by the prevalence.
    """
    labels, patients = [], []
    asked: dict[str, list[Array]] = {"vitals": [], "all": []}
    for index, case in enumerate(cases):
        if case.inputs.vitals is not None and task in case.targets:
            labels.append(case.targets[task])
            patients.append(case.patient)
            rng = np.random.default_rng([seed, index])
            variants = [case.inputs, *(_cut(case.inputs, case.inputs.vitals, kept, rng) for kept in gaps.values())]
            alone = [restrict(variant, ("vitals",)) for variant in variants]
            both = ask_all(subject, [*alone, *variants])
            asked["vitals"].append(both[: len(variants)])
            asked["all"].append(both[len(variants) :])
        advance()
    found: dict[str, Any] = {"n": len(labels)}
    if labels:
        truth, ids = np.array(labels, np.int64), np.array(patients, np.str_)
        for scope, rows in asked.items():
            found[scope] = _judge(np.stack(rows, axis=1), truth, ids, ("none", *gaps), seed)
    return found


def _cut(case: CaseInput, vitals: VitalsInput, kept: Kept, rng: np.random.Generator) -> CaseInput:
    return replace(case, vitals=keep_readings(vitals, kept(vitals, rng)))


def _judge(
    probabilities: Array, labels: NDArray[np.int64], patients: NDArray[np.str_], names: Sequence[str], seed: int
) -> dict[str, Any]:
    """Args: probabilities: [gaps, n, classes], the first without a gap."""
    drawn = patient_weights(patients, seed=seed, resamples=RESAMPLES)
    weights = np.concatenate([once(len(labels)), drawn])  # [1 + resamples, n]
    loss = -np.log(np.clip(probabilities[:, np.arange(len(labels)), labels], 1e-12, 1))
    auroc = np.stack([macro_auroc(own, labels, weights) for own in probabilities])  # [gaps, 1 + resamples]
    nll = np.stack([weighted_mean(own, weights) for own in loss])
    figures = {"macro_auroc": auroc, "nll": nll, "macro_auroc_drop": auroc[0] - auroc}
    return {
        name: {
            **{figure: _known(values[gap, 0]) for figure, values in figures.items()},
            "intervals": {figure: _interval(values[gap, 1:]) for figure, values in figures.items()},
        }
        for gap, name in enumerate(names)
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(values: Array) -> dict[str, float | None]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"low": None, "high": None}
    low, high = np.quantile(finite, (0.025, 0.975))
    return {"low": float(low), "high": float(high)}
