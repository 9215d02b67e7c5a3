"""Tables of subjects whose figures are known, because their answers are made from the truth by a formula."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from services.diagnosis.evaluation.subject import Table
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of

Array = NDArray[np.float64]
CLASSES = 3
STRENGTH = {"image": 1.0, "note": 1.5, "vitals": 0.5, "tabular": 0.4}


def evidence(n: int, *, seed: int = 0, classes: int = CLASSES) -> tuple[NDArray[np.int64], dict[str, Array]]:
    """Labels [n], and per modality the log-likelihood of each class [n, classes], independent given the label.

    One Gaussian per class with unit variance and mean STRENGTH at the true class: the softmax of any sum of
    STRENGTH * x is the exact posterior of equally frequent classes.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    log_likelihood = {}
    for name, strength in STRENGTH.items():
        seen = rng.normal(size=(n, classes)) + strength * np.eye(classes)[labels]
        log_likelihood[name] = strength * seen
    return labels, log_likelihood


def posteriors(log_likelihood: Mapping[str, Array], *, temperature: float = 1.0) -> dict[str, Array]:
    """Pattern -> softmax(sum of its modalities' evidence / temperature) [n, classes]; 1 is Bayes' rule."""
    return {
        pattern: np.asarray(softmax(sum(log_likelihood[m] for m in pattern.split("+")) / temperature, axis=1))
        for pattern in PATTERNS
    }


def deaf_to(modality: str, answers: Mapping[str, Array]) -> dict[str, Array]:
    """The same answers from a subject that ignores one modality, and says nothing when it has that alone."""
    rest = {p: "+".join(m for m in p.split("+") if m != modality) for p in answers}
    blank = np.full_like(answers[modality], 1 / answers[modality].shape[1])
    return {p: answers[rest[p]] if rest[p] else blank for p in answers}


def table_of(
    answers: Mapping[str, Array],
    labels: NDArray[np.int64],
    *,
    available: NDArray[np.bool_] | None = None,
    posterior: Mapping[str, Array] | None = None,
    patients: NDArray[np.str_] | None = None,
    subgroups: Mapping[str, NDArray[np.str_]] | None = None,
    coverage: float = 0.9,
    seed: int = 0,
) -> Table:
    """Answers [n, classes] per pattern as a table of a subject with two equal members.

    Sets: the most probable labels up to the coverage. Deterioration: a coin, with a probability that knows half of it.
    """
    n = len(labels)
    held = np.ones((n, len(MODALITIES)), np.bool_) if available is None else available
    rng = np.random.default_rng(seed)
    worse = rng.random(n)
    members, sets = {}, {}
    for pattern, probabilities in answers.items():
        one = np.concatenate([probabilities, worse[:, None]], axis=1)
        one[~held[:, np.array(mask_of(pattern))].all(1)] = np.nan
        members[pattern] = np.stack([one, one])
        sets[pattern] = smallest_sets(probabilities, coverage)
    return Table(
        labels=labels,
        patients=np.arange(n).astype(str) if patients is None else patients,
        members=members,
        sets=sets,
        available=held,
        ood={},
        coverage=coverage,
        subgroups=subgroups or {},
        deterioration=(rng.random(n) < worse / 2).astype(np.float64),
        posterior=posterior,
    )


def smallest_sets(probabilities: Array, coverage: float) -> NDArray[np.bool_]:
    """[n, classes]: the most probable labels until they hold that much."""
    order = np.argsort(-probabilities, axis=1)
    before = np.cumsum(np.take_along_axis(probabilities, order, 1), axis=1) - np.take_along_axis(
        probabilities, order, 1
    )
    inside = np.zeros(probabilities.shape, np.bool_)
    np.put_along_axis(inside, order, before < coverage, axis=1)
    return inside


def calibrated(n: int, *, seed: int = 0) -> Table:
    """The oracle itself as the subject."""
    labels, log_likelihood = evidence(n, seed=seed)
    exact = posteriors(log_likelihood)
    return table_of(exact, labels, posterior=exact, seed=seed)
