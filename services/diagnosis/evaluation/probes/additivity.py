"""Do explanations add up? Modalities to the log-odds they claim to explain, and parts to their modality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from services.diagnosis.case import CaseInput
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.intervals import ratio_with_interval, summarise
from services.diagnosis.evaluation.probes.asking import explained_label, prevalence, restrict, used
from services.diagnosis.evaluation.probes.heat import heat_of
from services.diagnosis.evaluation.subject import Subject
from services.diagnosis.inference.prediction import Explanation, Prediction
from services.diagnosis.inference.shapley import shapley_values
from services.diagnosis.inference.uncertainty import logit

if TYPE_CHECKING:
    from services.diagnosis.inference.predictor import Predictor


def measure_additivity(
    subject: Subject, cases: Sequence[LabelledCase], *, seed: int, advance: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Errors of explanations in log-odds, means over cases and maxima; one `advance` per case.

    Returns: `n`; `efficiency_error`: |base + contributions - log-odds of the explained label|; `shapley_error`: the
        largest distance of a contribution from the Shapley value recomputed from the subject's own answers;
        `completeness_error`: the largest |sum of a modality's parts - its contribution|; each with its interval and
        its `_max`. And `share`: per modality, its part of the mean absolute contribution.
    """
    rows, shares, patients = [], [], []
    for case in cases:
        prediction = subject.explain(case.inputs)
        if explained_label(prediction) is not None and prediction.explanation.modalities is not None:
            rows.append(_errors(subject, case.inputs, prediction))
            shares.append({m: abs(v) for m, v in prediction.explanation.modalities.contributions.items()})
            patients.append(case.patient)
        advance()
    names = sorted({name for row in rows for name in row})
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    total = sum(sum(row.values()) for row in shares)
    modalities = sorted({name for row in shares for name in row})
    return {
        "n": len(rows),
        **summarise(columns, np.array(patients, np.str_), seed=seed),
        **{f"{name}_max": float(np.nanmax(values)) for name, values in columns.items()},
        "share": {m: sum(row.get(m, 0.0) for row in shares) / total for m in modalities} if total else {},
    }


def _errors(subject: Subject, case: CaseInput, prediction: Prediction) -> dict[str, float]:
    across = prediction.explanation.modalities
    if across is None:
        raise ValueError("an explanation without modalities has no errors")
    claimed = across.base + sum(across.contributions.values())
    errors = {"efficiency_error": abs(claimed - _log_odds(prediction.diagnoses[0].probability))}
    sums = parts_of(prediction.explanation)
    errors["completeness_error"] = max(abs(sums.get(m, 0.0) - value) for m, value in across.contributions.items())
    true = shapley_of(subject, restrict(case, used(prediction)), explained_label(prediction) or 0)
    errors["shapley_error"] = max(abs(true.get(m, np.inf) - value) for m, value in across.contributions.items())
    return errors


def parts_of(explanation: Explanation) -> dict[str, float]:
    """Modality -> sum of its parts. A heat map known only as a picture has no sum and counts as exact."""
    sums = {
        "note": sum(span.contribution for note in explanation.notes for span in note.spans),
        "vitals": sum(window.contribution for window in explanation.vitals),
        "tabular": sum(fact.contribution for fact in explanation.tabular),
    }
    if all(image.grid is not None for image in explanation.images):
        sums["image"] = float(sum(heat_of(image).sum() for image in explanation.images))
    elif explanation.modalities is not None:
        sums["image"] = explanation.modalities.contributions.get("image", 0.0)
    return sums


def shapley_of(subject: Subject, case: CaseInput, label: int) -> dict[str, float]:
    """Shapley values of the case's modalities for a label's log-odds, from the subject's answers alone."""
    members = subject.answer(case).members
    players = tuple(max(members, key=lambda pattern: pattern.count("+")).split("+"))
    value = {frozenset(pattern.split("+")): _log_odds(rows[:, label].mean()) for pattern, rows in members.items()}
    value[frozenset()] = _log_odds(prevalence(subject)[label])
    return shapley_values(value, players)


def _log_odds(probability: float) -> float:
    return float(logit(np.array([probability]))[0])


def measure_integration(
    predictor: Predictor, cases: Sequence[LabelledCase], *, seed: int, advance: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """How far a bundle's integrated gradients are from completeness (arXiv 1703.01365), before they are rescaled.

    By the fundamental theorem the exact attributions sum to the change of the target, which is known. One `advance`
    per case.
    Returns: modality -> `n`, `relative_error`: mean |error of the sum| over mean |change|, with its interval, `worst`
        (log-odds) and `nodes`: mean number of gradients per case.
    """
    rows: dict[str, list[tuple[float, float, int, str]]] = {}
    for case in cases:
        label = next(iter(case.targets.values()))
        prepared = {name: part for name, part in predictor.prepare(case.inputs).items() if part.refused is None}
        encoded = {name: predictor.engine.encode(name, part) for name, part in prepared.items()}
        for name, part in prepared.items():
            found = predictor.engine.attribute(name, part, encoded, label)
            row = (found.completeness_error, abs(found.change), found.nodes, case.patient)
            rows.setdefault(name, []).append(row)
        advance()
    return {name: _integration(own, seed) for name, own in rows.items()}


def _integration(rows: Sequence[tuple[float, float, int, str]], seed: int) -> dict[str, Any]:
    error, size, nodes = (np.array([row[i] for row in rows], np.float64) for i in range(3))
    value, interval = ratio_with_interval(error, size, np.array([row[3] for row in rows]), seed=seed)
    return {
        "n": len(rows),
        "relative_error": value,
        "worst": float(error.max()),
        "nodes": float(nodes.mean()),
        "intervals": {"relative_error": interval},
    }
