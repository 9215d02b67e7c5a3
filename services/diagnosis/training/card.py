"""The model card: what the bundle is, what it is not, and its measured figures with n and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.bundle.source_attributes import source_attributes
from services.diagnosis.evaluation.subject import as_answered
from services.diagnosis.inference.conformal import ConformalTable
from services.diagnosis.inference.ood import REJECT_BELOW, OodReference
from services.diagnosis.inference.uncertainty import IntervalScale, logit, spread
from services.diagnosis.model.modalities import (
    DETERIORATION,
    DIAGNOSIS,
    MODALITIES,
    PATTERNS,
    SEVERITY,
    TaskSpec,
    columns_of,
)
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.model.preprocessing.word_order import WordOrder
from services.diagnosis.training.attributes import answers, outcomes_asked
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.fairness import subgroup_figures
from services.diagnosis.training.familiarity import ood_features
from services.diagnosis.training.metrics import (
    accuracy,
    binomial_interval,
    brier_score,
    expected_calibration_error,
    macro_auroc,
    round_floats,
    with_interval,
)
from services.diagnosis.training.recipe import Recipe
from services.diagnosis.training.stages import Feeds, Vocabulary
from services.diagnosis.training.task_losses import UNKNOWN

Array = NDArray[np.float64]
WARD_TEXTS = {
    "warning": "Synthetic data, not for clinical use",
    "intendedUse": "To try, demonstrate and test Consilium: decision support in development, no medical device.",
    "outOfScope": "Any use for the care of a patient. Real radiographs are outside what it was trained on.",
    "inputs": "Frontal chest radiograph (CR, DX), free-text admission note in English, irregular vital signs of "
    "96 hours, and age, sex and laboratory values as context; any non-empty subset.",
    "trainingData": "The synthetic ward of this repository; no patient's data.",
    "licence": "Apache-2.0",
    "intervals": "Brackets: 95 %, bootstrap over patients; for coverage and rejection, exact binomial.",
}


def evaluate(
    members: Mapping[str, Array],
    test: Cohort,
    conformal: ConformalTable,
    intervals: IntervalScale,
    network: ConsiliumNetwork,
    ood: Mapping[str, OodReference],
    feeds: Feeds,
    vocabulary: Vocabulary,
    order: WordOrder,
    *,
    seed: int,
) -> dict[str, Any]:
    """Figures on the test split, which neither training nor calibration has seen."""
    tasks = network.config.tasks
    patterns = {
        pattern: {
            **_pattern(pattern, members[pattern], test, tasks, conformal, intervals, seed),
            **outcome_figures(pattern, members[pattern], test, tasks),
        }
        for pattern in PATTERNS
    }
    rejected = {
        name: false_rejections(name, ood[name], network, test, feeds, vocabulary, order, seed) for name in MODALITIES
    }
    widest = max(PATTERNS, key=lambda pattern: pattern.count("+"))
    groups = subgroup_figures(widest, as_answered(tasks, members[widest]), test, conformal, seed=seed)
    return {"n": len(test), "patterns": patterns, "oodFalseRejection": rejected, "subgroups": groups}


def _pattern(
    pattern: str,
    members: Array,
    test: Cohort,
    tasks: Sequence[TaskSpec],
    conformal: ConformalTable,
    intervals: IntervalScale,
    seed: int,
) -> dict[str, Any]:
    diagnoses = members[..., columns_of(tasks)[DIAGNOSIS]]
    probabilities, labels, posterior = diagnoses.mean(0), test.labels, test.beliefs(pattern, tasks)[DIAGNOSIS]
    sets = conformal.contains(probabilities, pattern)
    return {
        **figures_of(probabilities, labels, sets, conformal.coverage, seed=seed),
        "oracleMacroAuroc": macro_auroc(posterior, labels),
        "oracleAccuracy": accuracy(posterior, labels),
        "guarantee": conformal.predict(probabilities[0], pattern)[1],
        "intervalCoverage": _interval_coverage(pattern, diagnoses, posterior, intervals),
    }


def outcome_figures(pattern: str, members: Array, test: Cohort, tasks: Sequence[TaskSpec]) -> dict[str, float]:
    """AUROC of what is asked beside the diagnosis; of the severity that of either step, and the best possible."""
    columns, found = columns_of(tasks), {}
    if DETERIORATION in columns:
        worse = members[..., columns[DETERIORATION]].mean(0)[:, 0]
        found["deteriorationAuroc"] = _binary_auroc(worse, test.deterioration == 1)
    if SEVERITY in columns:
        known = test.severity != UNKNOWN
        told = members[..., columns[SEVERITY]].mean(0)[known]  # [n, levels - 1], P(level > j)
        believed = test.beliefs(pattern, tasks)[SEVERITY][known]
        for step, name in enumerate(("moderate", "severe")):
            reached = test.severity[known] > step
            best = believed[:, step + 1 :].sum(1)
            found[f"{name}Auroc"] = _binary_auroc(told[:, step], reached)
            found[f"oracle{name.capitalize()}Auroc"] = _binary_auroc(best, reached)
    return found


def _binary_auroc(probability: Array, came: NDArray[np.bool_]) -> float:
    return macro_auroc(np.stack([1 - probability, probability], axis=1), came.astype(np.int64))


def figures_of(
    probabilities: Array,
    labels: NDArray[np.int64],
    sets: NDArray[np.bool_],
    coverage: float,
    *,
    seed: int,
    patients: NDArray[np.str_] | None = None,
) -> dict[str, Any]:
    """What can be measured against labels alone.

    Args:
        probabilities, sets: [n, classes].
        patients: [n], the unit of the bootstrap; default: every case is a patient of its own.
    """
    hits = sets[np.arange(len(labels)), labels]

    def measure(metric: Callable[[Array, NDArray[np.int64]], float]) -> dict[str, float]:
        return with_interval(metric, probabilities, labels, seed=seed, patients=patients)

    return {
        "macroAuroc": measure(macro_auroc),
        "accuracy": measure(accuracy),
        "brier": measure(brier_score),
        "ece": measure(expected_calibration_error),
        "coverage": {"target": coverage, **binomial_interval(int(hits.sum()), len(hits))},
        "smallestClassCoverage": min(float(hits[labels == k].mean()) for k in np.unique(labels)),
        "meanSetSize": float(sets.sum(1).mean()),
    }


def _interval_coverage(pattern: str, members: Array, posterior: Array, intervals: IntervalScale) -> float:
    half = intervals.multipliers[pattern] * (spread(members) + intervals.floors[pattern])
    error = np.abs(logit(members.mean(0)) - logit(np.clip(posterior, 1e-4, 1 - 1e-4)))
    return float((error <= half).mean())


def false_rejections(
    name: str,
    reference: OodReference,
    network: ConsiliumNetwork,
    test: Cohort,
    feeds: Feeds,
    vocabulary: Vocabulary,
    order: WordOrder,
    seed: int,
) -> dict[str, float]:
    """Share of the cases that hold a modality which are rejected as strange, though they are of the same source."""
    features = ood_features(network, name, test, feeds, vocabulary, order, seed=seed, at_most=len(test), varied=False)
    rejected = sum(reference.p_value(row) < REJECT_BELOW for row in features)
    return binomial_interval(int(rejected), len(features))


def model_card(
    recipe: Recipe, training: Mapping[str, Any], metrics: Mapping[str, Any], parameters: int
) -> dict[str, Any]:
    """The card of a bundle trained on the ward."""
    outputs = ", ".join(("Probabilities of eight acute chest conditions", *outcomes_asked(recipe.model)))
    texts = {**WARD_TEXTS, "outputs": f"{outputs}."}
    return card_of(recipe, training, metrics, parameters, texts=texts, attributes=answers(recipe, training, metrics))


def card_of(
    recipe: Recipe,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    parameters: int,
    *,
    texts: Mapping[str, str],
    attributes: Mapping[str, str],
) -> dict[str, Any]:
    """The card as JSON; `bundle.card` writes it out as Markdown.

    Args:
        texts: what is said of the bundle in words, under the keys of `WARD_TEXTS` and `outputs`.
        attributes: answers to the source attributes.
    """
    card: dict[str, Any] = {
        "name": recipe.bundle,
        "version": recipe.version,
        **texts,
        "parameters": parameters,
        "seed": training["seed"],
        "data": training["data"],
        "parts": training.get("parts", []),
        "sourceAttributes": source_attributes(attributes),
        "metrics": metrics,
    }
    rounded: dict[str, Any] = round_floats(card)
    return rounded
