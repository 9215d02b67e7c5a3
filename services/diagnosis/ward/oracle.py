"""The oracle: p(y | what is seen), exactly, by Bayes' rule, for every subset of the modalities.

Age and sex are known in every case, so every posterior is given them. Each function exists for one patient
(`findings`, `person`) and, by way of `Evidence`, for many at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.diagnosis.ward.model import MODALITIES, Array, Findings, Modality, Pair, WardModel
from services.diagnosis.ward.observation import PATTERNS, Missingness, label_transition
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.sampling import Codes, coded, severities

__all__ = ["PATTERNS", "Evidence", "deterioration_posterior", "evidence", "pattern_key", "posterior", "posteriors"]


def pattern_key(modalities: Iterable[str]) -> str:
    """Name of an availability pattern: `image+note`, always in the order image, note, vitals."""
    chosen = set(modalities)
    return "+".join(modality for modality in MODALITIES if modality in chosen)


@dataclass(frozen=True)
class Evidence:
    """The log likelihood of each diagnosis of n patients, in the parts from which that of any subset is summed."""

    log_prior: Array
    """log p(y | age, sex), [n, diagnoses]."""
    alone: Mapping[Modality, Array]
    """Modality -> Σ log p(finding | y, person) of its findings, pair members by their marginals, [n, diagnoses]."""
    together: Mapping[frozenset[Modality], Array]
    """Two modalities -> Σ over their pairs of log p(both | y) - log p(first | y) - log p(second | y)."""

    def log_likelihood(self, modalities: Iterable[Modality]) -> Array:
        """log p(findings of those modalities | y, person), [n, diagnoses]: a pair counts once."""
        seen = frozenset(modalities)
        parts = [self.alone[modality] for modality in MODALITIES if modality in seen]
        parts += [joint for both, joint in self.together.items() if both <= seen]
        return np.asarray(sum(parts, np.zeros_like(self.log_prior)))

    def posterior(self, modalities: Iterable[Modality], *, absence: Array | None = None) -> Array:
        """p(y | findings of those modalities, age, sex), [n, diagnoses]; of none, the prior of the person.

        Args:
            absence: p(this availability | y), [diagnoses], where what is missing says something of y as well.
        """
        logits = self.log_prior + self.log_likelihood(modalities)
        if absence is not None:
            with np.errstate(divide="ignore"):
                logits = logits + np.log(absence)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def evidence(model: WardModel, values: Codes, persons: Sequence[Person]) -> Evidence:
    """The evidence of n patients; `values` as in `Draws`, [n, findings]."""
    n, rows = len(persons), np.arange(len(persons))
    alone = {modality: np.zeros((n, len(model.prior))) for modality in MODALITIES}
    for j, finding in enumerate(model.findings):
        table = np.log(finding.given(persons))
        alone[finding.modality] += table[rows if len(table) > 1 else 0, :, values[:, j]]
    together: dict[frozenset[Modality], Array] = {}
    for pair in model.coupled:
        both = frozenset({model.finding(pair.first).modality, model.finding(pair.second).modality})
        together[both] = together.get(both, 0.0) + _beyond_marginals(model, pair, values)
    return Evidence(np.log(model.prior_given(persons)), alone, together)


def _beyond_marginals(model: WardModel, pair: Pair, values: Codes) -> Array:
    joint = pair.joint()
    i, j = values[:, model.position(pair.first)], values[:, model.position(pair.second)]
    with np.errstate(divide="ignore"):  # a full overlap leaves cells that never come
        ratio = np.log(joint) - np.log(joint.sum(axis=2, keepdims=True)) - np.log(joint.sum(axis=1, keepdims=True))
    return np.asarray(ratio[:, i, j].T)


def posterior(model: WardModel, findings: Findings, modalities: Iterable[Modality], person: Person) -> Array:
    """p(y | findings of those modalities, age, sex), [diagnoses]; of none, the prior of the person."""
    return np.asarray(evidence(model, coded(model, findings), [person]).posterior(modalities)[0])


def posteriors(model: WardModel, findings: Findings, person: Person) -> dict[str, list[float]]:
    """The posterior of each of the seven patterns."""
    seen = evidence(model, coded(model, findings), [person])
    return {pattern_key(subset): seen.posterior(subset)[0].tolist() for subset in PATTERNS}


def posterior_given_availability(
    model: WardModel, findings: Findings, available: Iterable[Modality], person: Person, missingness: Missingness
) -> Array:
    """p(y | findings of the available modalities, age, sex, and that exactly these are available), [diagnoses].

    Equal to `posterior` where modalities are missing at random; elsewhere absence itself says something of y.
    """
    there = tuple(modality for modality in MODALITIES if modality in set(available))
    absence = missingness.probabilities(len(model.prior))[there]
    return np.asarray(evidence(model, coded(model, findings), [person]).posterior(there, absence=absence)[0])


def recorded_posterior(posterior: Array, noise: float) -> Array:
    """p(recorded label | …) of a posterior of the true label, [..., diagnoses]."""
    return np.asarray(posterior @ label_transition(noise, posterior.shape[-1]))


def deterioration_given(model: WardModel, values: Codes, modalities: Iterable[Modality]) -> Array:
    """p(deterioration | y, findings of those modalities), [n or 1, diagnoses].

    With the vitals their severity is known; without, it is summed out over every combination of their findings, each
    given y and, where it belongs to a pair whose other member is seen, given that one.
    """
    seen, intercept = frozenset(modalities), model.deterioration.intercept
    if "vitals" in seen:
        return np.asarray(1 / (1 + np.exp(-(intercept + severities(model, values)[:, None]))))
    severity, probability = np.zeros(1), np.ones((1, len(model.prior), 1))
    for name in sorted({name for name, _ in model.deterioration.weights}):
        weights = [model.deterioration.weights.get((name, value), 0.0) for value in model.finding(name).values]
        severity = np.add.outer(severity, weights).ravel()
        table = _unseen(model, name, values, seen)
        probability = (probability[..., :, None] * table[..., None, :]).reshape(
            max(len(probability), len(table)), len(model.prior), -1
        )
    worsens = 1 / (1 + np.exp(-(intercept[:, None] + severity)))  # [diagnoses, combinations]
    return np.asarray((probability * worsens).sum(axis=2))


def _unseen(model: WardModel, name: str, values: Codes, seen: frozenset[Modality]) -> Array:
    """p(value of an unseen vitals finding | y, its pair's seen member), [n or 1, diagnoses, values]."""
    for pair in model.coupled:
        if name in (pair.first, pair.second):
            other = pair.first if name == pair.second else pair.second
            if model.finding(other).modality in seen:
                joint = pair.joint() if name == pair.second else pair.joint().swapaxes(1, 2)  # [y, other, name]
                given = joint / joint.sum(axis=2, keepdims=True)
                return np.asarray(given[:, values[:, model.position(other)]].swapaxes(0, 1))
    return model.finding(name).table[None]


def deterioration_posterior(
    model: WardModel, findings: Findings, modalities: Iterable[Modality], person: Person
) -> float:
    """p(deterioration | findings of those modalities, age, sex), the diagnosis and all else summed out."""
    values, seen = coded(model, findings), frozenset(modalities)
    return float((evidence(model, values, [person]).posterior(seen) * deterioration_given(model, values, seen)).sum())


def deterioration_posteriors(model: WardModel, findings: Findings, person: Person) -> dict[str, float]:
    """The deterioration probability of each of the seven patterns."""
    values = coded(model, findings)
    seen = evidence(model, values, [person])
    return {
        pattern_key(subset): float((seen.posterior(subset) * deterioration_given(model, values, subset)).sum())
        for subset in PATTERNS
    }
