"""Does a subject notice strangers? Its out-of-distribution scores of ordinary inputs against those of `strangers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.intervals import patient_weights
from services.diagnosis.evaluation.metrics.uncertainty import detect, mutual_information
from services.diagnosis.evaluation.probes.asking import held, restrict
from services.diagnosis.evaluation.probes.strangers import STRANGERS, Stranger
from services.diagnosis.evaluation.subject import Answer, Array, Subject
from services.diagnosis.inference.ood import REJECT_BELOW
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.training.metrics import binomial_interval

WORKING_THRESHOLD = 1 - REJECT_BELOW
"""Scores above this reject the modality."""


def measure_ood(
    subject: Subject,
    cases: Sequence[LabelledCase],
    *,
    seed: int,
    strangers: Mapping[str, Mapping[str, Stranger]] = STRANGERS,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Per modality, how well its score tells strangers from the cases they are made of; one `advance` per case.

    Returns: modality -> `n`; `auroc` and `fpr95` over all far strangers; `near` with the same; `false_rejections`:
        share of ordinary inputs above the working threshold with its exact interval; `cases`: kind -> `distance`,
        `auroc`, `fpr95`, `detected` (share above the working threshold), with intervals over patients. FPR95 is the
        share of strangers accepted where 95 % of ordinary inputs are. `epistemic`: how well the mutual information of
        the members tells the same far strangers. Modalities without scores or strangers are left out.
    """
    found = {name: _Asked({}, {}, []) for name in MODALITIES}
    for index, case in enumerate(cases):
        for name in (name for name in held(case.inputs) if name in strangers):
            own, rng = restrict(case.inputs, (name,)), np.random.default_rng([seed, index])
            variants = {"": own, **{kind: s.make(own, rng) for kind, s in strangers[name].items()}}
            answers = {kind: subject.answer(variant) for kind, variant in variants.items() if held(variant)}
            if name in answers[""].ood:
                found[name].patients.append(case.patient)
                for kind in variants:
                    found[name].add(kind, name, answers.get(kind))
        advance()
    return {
        name: {
            **judge_scores(
                np.array(own.scores[""]),
                {kind: (strangers[name][kind].distance, np.array(v)) for kind, v in own.scores.items() if kind},
                np.array(own.patients),
                seed=seed,
            ),
            "epistemic": _judge_doubts(own, [k for k, s in strangers[name].items() if s.distance == "far"], seed),
        }
        for name, own in found.items()
        if own.patients
    }


@dataclass(frozen=True)
class _Asked:
    """What one modality was asked: kind of stranger (`""`: the ordinary input) -> one number per case."""

    scores: dict[str, list[float]]
    doubts: dict[str, list[float]]
    """Mutual information of the members, in nats."""
    patients: list[str]

    def add(self, kind: str, name: str, answer: Answer | None) -> None:
        score = answer.ood.get(name) if answer is not None else None
        members = answer.members.get(name) if answer is not None else None
        self.scores.setdefault(kind, []).append(np.nan if score is None else score)
        doubt = np.nan if members is None else float(mutual_information(members[:, :-1]))
        self.doubts.setdefault(kind, []).append(doubt)


def _judge_doubts(own: _Asked, far: Sequence[str], seed: int) -> dict[str, Any]:
    """Does epistemic uncertainty itself rise on far strangers; those that an input rule refuses are not asked."""
    kinds = [kind for kind in far if kind in own.doubts]
    patients = np.array(own.patients)
    foreign = np.concatenate([own.doubts[kind] for kind in kinds]) if kinds else np.zeros(0)
    return detect(np.array(own.doubts[""]), foreign, patients=(patients, np.tile(patients, len(kinds))), seed=seed)


def judge_scores(
    ordinary: Array, strange: Mapping[str, tuple[str, Array]], patients: NDArray[np.str_], *, seed: int
) -> dict[str, Any]:
    """What `measure_ood` says of one modality.

    Args:
        ordinary: [n] scores, higher is stranger.
        strange: kind -> distance, and the scores [n] of the same cases made strange; NaN where that was impossible.
        patients: [n].
    """
    weights = patient_weights(patients, seed=seed)
    curves = {kind: _judge(ordinary, values, weights) for kind, (_, values) in strange.items()}
    far, near = (_pool([curves[k] for k, (d, _) in strange.items() if d == side]) for side in ("far", "near"))
    return {
        "n": len(ordinary),
        **far,
        "near": near,
        "false_rejections": binomial_interval(int((ordinary > WORKING_THRESHOLD).sum()), len(ordinary)),
        "cases": {kind: {"distance": strange[kind][0], **_pool([own])} for kind, own in curves.items()},
    }


_Curves = dict[str, Array]
"""Figure -> its value on the sample, then on every resample."""


def _judge(ordinary: Array, strange: Array, weights: Array) -> _Curves:
    every = np.concatenate([np.ones((1, len(ordinary))), weights])  # [1 + resamples, n]
    known = np.isfinite(strange)
    if not known.any():
        return {name: np.full(len(every), np.nan) for name in ("auroc", "fpr95", "detected")}
    own = every[:, known] / np.maximum(every[:, known].sum(1, keepdims=True), 1)
    above = strange[known][:, None] > ordinary[None]
    wins = above + 0.5 * (strange[known][:, None] == ordinary[None])  # [strangers, ordinary]
    shares = every / every.sum(1, keepdims=True)
    order = np.argsort(ordinary, kind="stable")
    # The lowest score at which 95 % of ordinary inputs are accepted, per resample.
    last = (np.cumsum(shares[:, order], axis=1) >= 0.95 - 1e-12).argmax(1)
    accepted = strange[known][None] <= ordinary[order][last][:, None]
    return {
        "auroc": np.einsum("ri,ij,rj->r", own, wins, shares, optimize=True),
        "fpr95": (own * accepted).sum(1),
        "detected": own @ (strange[known] > WORKING_THRESHOLD),
    }


def _pool(curves: Sequence[_Curves]) -> dict[str, Any]:
    """Mean over kinds, each of which counts alike, on the sample and on each resample."""
    if not curves:
        return {}
    values: dict[str, Any] = {}
    intervals = {}
    for name in ("auroc", "fpr95", "detected"):
        mean = np.mean([own[name] for own in curves], axis=0)
        known = bool(np.isfinite(mean[0]))
        values[name] = float(mean[0]) if known else None
        low, high = np.nanquantile(mean[1:], (0.025, 0.975)) if known else (None, None)
        intervals[name] = {"low": None if low is None else float(low), "high": None if high is None else float(high)}
    return {**values, "intervals": intervals}
