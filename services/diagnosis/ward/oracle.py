"""The oracle: p(y | what is seen), exactly, by Bayes' rule, for every subset of the modalities.

Age and sex are known in every case, so every posterior is given them. Each function exists for one patient
(`findings`, `person`) and, by way of `Evidence`, for many at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.diagnosis.ward.model import MODALITIES, Array, Findings, Modality, Outcome, Pair, WardModel
from services.diagnosis.ward.observation import PATTERNS, Missingness, label_transition
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.sampling import Codes, coded, loads

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


def names_of(model: WardModel, modalities: Iterable[Modality]) -> frozenset[str]:
    """The findings of those modalities."""
    chosen = frozenset(modalities)
    return frozenset(finding.name for finding in model.findings if finding.modality in chosen)


def outcome_given(model: WardModel, outcome: Outcome, values: Codes, seen: frozenset[str]) -> Array:
    """p(level | y, the findings named in `seen`), [n, diagnoses, levels].

    The weights of seen findings are known. Unseen ones are summed out over every combination of them, each given y and,
    where it belongs to a pair whose other member is seen, given that one.
    """
    weighed = {name for name, _ in outcome.weights}
    partners = {found[0] for found in (_partner(model, name) for name in weighed) if found is not None}
    columns = [model.position(name) for name in sorted((weighed | partners) & seen)]
    _, first, place = np.unique(values[:, columns], axis=0, return_index=True, return_inverse=True)
    return _outcome_of(model, outcome, values[first], seen)[place.reshape(-1)]


def _outcome_of(model: WardModel, outcome: Outcome, values: Codes, seen: frozenset[str]) -> Array:
    known = {key: weight for key, weight in outcome.weights.items() if key[0] in seen}
    sums, probability = np.zeros(1), np.ones((1, len(model.prior), 1))  # [sums], [n or 1, diagnoses, sums]
    for table, weights in _unseen(model, outcome, values, seen):
        every = (probability[..., :, None] * table[..., None, :]).reshape(
            max(len(probability), len(table)), len(model.prior), -1
        )
        # Combinations of the same sum are one.
        sums, place = np.unique(np.round(np.add.outer(sums, weights), 9).ravel(), return_inverse=True)
        probability = every @ np.eye(len(sums))[place]
    levels = outcome.levels(loads(model, known, values)[:, None] + sums)  # [n, sums, diagnoses, levels]
    return np.asarray((probability[..., None] * levels.swapaxes(1, 2)).sum(axis=2))


def _unseen(model: WardModel, outcome: Outcome, values: Codes, seen: frozenset[str]) -> Iterator[tuple[Array, Array]]:
    """Of each unseen finding that has a weight, or unseen pair: p(cell | y, what is seen) and the weight of each cell.

    Yields: [n or 1, diagnoses, cells], [cells].
    """

    def weights(name: str) -> Array:
        return np.array([outcome.weights.get((name, value), 0.0) for value in model.finding(name).values])

    left = {name for name, _ in outcome.weights} - seen
    for pair in model.coupled:
        if {pair.first, pair.second} <= left:
            joint = pair.joint()
            yield joint.reshape(1, len(joint), -1), np.add.outer(weights(pair.first), weights(pair.second)).ravel()
            left -= {pair.first, pair.second}
    for name in sorted(left):
        yield _given_partner(model, name, values, seen), weights(name)


def _partner(model: WardModel, name: str) -> tuple[str, Array] | None:
    """The other member of the finding's pair, and p(other, finding | y), [diagnoses, values, values]; None: no pair."""
    for pair in model.coupled:
        if name == pair.second:
            return pair.first, pair.joint()
        if name == pair.first:
            return pair.second, pair.joint().swapaxes(1, 2)
    return None


def _given_partner(model: WardModel, name: str, values: Codes, seen: frozenset[str]) -> Array:
    """p(value of an unseen finding | y, its pair's seen member), [n or 1, diagnoses, values]."""
    found = _partner(model, name)
    if found is None or found[0] not in seen:
        return model.finding(name).table[None]
    other, joint = found
    given = joint / joint.sum(axis=2, keepdims=True)
    return np.asarray(given[:, values[:, model.position(other)]].swapaxes(0, 1))


def deterioration_given(model: WardModel, values: Codes, modalities: Iterable[Modality]) -> Array:
    """p(deterioration | y, findings of those modalities), [n, diagnoses]."""
    return np.asarray(outcome_given(model, model.deterioration, values, names_of(model, modalities))[..., 1])


def severity_given(model: WardModel, values: Codes, modalities: Iterable[Modality]) -> Array:
    """p(level of severity | y, findings of those modalities), [n, diagnoses, levels]."""
    return outcome_given(model, model.severity, values, names_of(model, modalities))


def deterioration_posterior(
    model: WardModel, findings: Findings, modalities: Iterable[Modality], person: Person
) -> float:
    """p(deterioration | findings of those modalities, age, sex), the diagnosis and all else summed out."""
    return float(_outcome_posteriors(model, model.deterioration, findings, person, [modalities])[0, 1])


def deterioration_posteriors(model: WardModel, findings: Findings, person: Person) -> dict[str, float]:
    """The deterioration probability of each of the seven patterns."""
    found = _outcome_posteriors(model, model.deterioration, findings, person, PATTERNS)[:, 1].tolist()
    return dict(zip(map(pattern_key, PATTERNS), found, strict=True))


def severity_posterior(model: WardModel, findings: Findings, modalities: Iterable[Modality], person: Person) -> Array:
    """p(level | findings of those modalities, age, sex), [levels], the diagnosis and all else summed out."""
    return np.asarray(_outcome_posteriors(model, model.severity, findings, person, [modalities])[0])


def severity_posteriors(model: WardModel, findings: Findings, person: Person) -> dict[str, list[float]]:
    """The probability of every level under each of the seven patterns."""
    found = _outcome_posteriors(model, model.severity, findings, person, PATTERNS).tolist()
    return dict(zip(map(pattern_key, PATTERNS), found, strict=True))


def _outcome_posteriors(
    model: WardModel, outcome: Outcome, findings: Findings, person: Person, subsets: Iterable[Iterable[Modality]]
) -> Array:
    """p(level | findings of each subset of the modalities, age, sex), [subsets, levels]."""
    values = coded(model, findings)
    seen = evidence(model, values, [person])
    chosen = [tuple(subset) for subset in subsets]
    given = [outcome_given(model, outcome, values, names_of(model, subset))[0] for subset in chosen]
    return np.array([seen.posterior(subset)[0] @ own for subset, own in zip(chosen, given, strict=True)])
