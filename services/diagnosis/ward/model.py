"""The generative model: a joint distribution over person, diagnosis and latent findings, as data.

A patient is a person, a primary diagnosis y ~ p(y | age, sex) and one value for each finding. Given y and the person
the findings are independent, except the two members of a `SynergyPair`, whose values agree or disagree depending on y
while each alone says nothing, and those of a `RedundantPair`, the second of which says again what the first said. What
the renderers draw depends on the findings, the person and nuisance, never on y itself, so the posterior of the latent
findings bounds every model.
Tables: `tables.py`; drawing: `sampling.py`; the exact posterior: `oracle.py`; in words: docs/explanation/the-ward.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.population import Person

Array: TypeAlias = NDArray[np.float64]
Modality: TypeAlias = Literal["image", "note", "vitals"]
Findings: TypeAlias = Mapping[str, str]
"""Finding -> the value it takes, for every finding of the model."""

MODALITIES: tuple[Modality, ...] = ("image", "note", "vitals")
REFERENCE_AGE, AGE_UNIT = 62.0, 16.0
"""Slopes are per `AGE_UNIT` years from the age at which the tables hold as written."""


def standard_ages(persons: Sequence[Person]) -> Array:
    """(age - 62) / 16 of each, [n]."""
    return (np.array([person.age_years for person in persons], dtype=np.float64) - REFERENCE_AGE) / AGE_UNIT


@dataclass(frozen=True)
class Demographics:
    """log p(y | age, sex) = log p(y) + slope(y) · (age - 62)/16 ± male(y)/2 + const; + for men, - for women."""

    age_slope: Array
    """[diagnoses]"""
    male_log_odds: Array
    """[diagnoses]; log odds of y in men against women, up to a constant."""

    def tilt(self, persons: Sequence[Person]) -> Array:
        """What is added to the log prior, [n, diagnoses]."""
        sexes = np.array([0.5 if person.sex == "M" else -0.5 for person in persons])
        return np.asarray(np.outer(standard_ages(persons), self.age_slope) + np.outer(sexes, self.male_log_odds))


@dataclass(frozen=True)
class Documented:
    """How a note comes to say something of a finding: whether the patient has it, and what is written of it then."""

    present: Array
    """p(the patient has it | y) at the reference age, [diagnoses]."""
    written: Array
    """p(value in the note | absent), p(value | present), [2, values]."""
    age_slope: float = 0.0
    """Of the log odds of presence."""

    def table(self, persons: Sequence[Person] | None = None) -> Array:
        """p(value | y, person), [n, diagnoses, values]; without persons [diagnoses, values] at the reference age."""
        present = self.present
        if persons is not None:
            odds = self.present / (1 - self.present) * np.exp(self.age_slope * standard_ages(persons))[:, None]
            present = odds / (1 + odds)
        return np.asarray((1 - present)[..., None] * self.written[0] + present[..., None] * self.written[1])


@dataclass(frozen=True)
class Finding:
    """One latent variable of one modality and its conditional table."""

    name: str
    modality: Modality
    values: tuple[str, ...]
    """The first value is the normal one: the renderer shows nothing."""
    table: Array
    """p(value | y) at the reference age, [diagnoses, values]; rows sum to 1."""
    documented: Documented | None = None
    """Of a finding of the note whose presence is hidden: the table is made of it."""

    def given(self, persons: Sequence[Person]) -> Array:
        """p(value | y, person), [n or 1, diagnoses, values]; 1 where the person changes nothing."""
        if self.documented is None or self.documented.age_slope == 0:
            return self.table[None]
        return self.documented.table(persons)


@dataclass(frozen=True)
class SynergyPair:
    """Two findings (absent, a, b) of different modalities that mean something only together.

    Both are present independently of y; then each is a or b with probability 1/2, and they agree with probability
    `agreement[y]`. Either marginal is therefore the same for every y.
    """

    first: str
    second: str
    presence: tuple[float, float]
    agreement: Array

    def joint(self) -> Array:
        """p(first, second | y), [diagnoses, 3, 3]; value 0 is absent."""
        p, q = self.presence
        joint = np.empty((len(self.agreement), 3, 3))
        joint[:, 0, 0] = (1 - p) * (1 - q)
        joint[:, 0, 1:] = (1 - p) * q / 2
        joint[:, 1:, 0] = p * (1 - q) / 2
        agree, differ = p * q * self.agreement / 2, p * q * (1 - self.agreement) / 2
        joint[:, 1, 1] = joint[:, 2, 2] = agree
        joint[:, 1, 2] = joint[:, 2, 1] = differ
        return joint


@dataclass(frozen=True)
class RedundantPair:
    """Two findings of different modalities, the second of which repeats the first.

    Each comes from a cause with ordered values (none, worse, …). With probability `overlap` both causes are read off
    the same uniform number, so that the one is worse when the other is, and is its copy where the tables are equal;
    otherwise they are independent given y. What each finding says alone is the same whatever the overlap.
    """

    first: str
    second: str
    overlap: float
    causes: tuple[Array, Array]
    """p(cause | y) of either, [diagnoses, causes]."""
    shown: tuple[Array, Array]
    """p(value of the finding | cause) of either, [causes, values]: the identity, or what a note makes of it."""

    def joint(self) -> Array:
        """p(first, second | y), [diagnoses, values, values]."""
        first, second = self.causes
        apart = first[:, :, None] * second[:, None, :]
        causes = self.overlap * comonotone(first, second) + (1 - self.overlap) * apart
        return np.asarray(np.einsum("dij,ik,jl->dkl", causes, *self.shown))


def comonotone(first: Array, second: Array) -> Array:
    """Joint table of two variables read off one uniform number, [diagnoses, i, j]: the overlap of their intervals."""
    high_i, high_j = np.cumsum(first, axis=1)[:, :, None], np.cumsum(second, axis=1)[:, None, :]
    low_i, low_j = high_i - first[:, :, None], high_j - second[:, None, :]
    return np.asarray(np.clip(np.minimum(high_i, high_j) - np.maximum(low_i, low_j), 0.0, None))


Pair: TypeAlias = SynergyPair | RedundantPair


Weights: TypeAlias = Mapping[tuple[str, str], float]
"""(finding, value) -> what it adds to the log-odds of an outcome; every other value adds nothing."""


@dataclass(frozen=True)
class Deterioration:
    """p(deteriorates within 24 h) = sigmoid(intercept[y] + Σ weight of each vitals finding that is present)."""

    intercept: Array
    weights: Weights

    def levels(self, load: Array) -> Array:
        """p(no), p(yes) given y and the sum of weights, [...] -> [..., diagnoses, 2]."""
        return sequential_levels(self.intercept[:, None], load)

    def probability(self, findings: Findings) -> Array:
        """p(deterioration | y, findings), [diagnoses]."""
        return np.asarray(self.levels(load_of(self.weights, findings))[..., 1])


@dataclass(frozen=True)
class Severity:
    """How severe the illness is, in ordered levels: p(level > j | level >= j) = sigmoid(intercepts[y, j] + Σ weights).

    The sum is over the findings of all modalities that are present. Each is one whose table is the same for everybody,
    so that the level depends on age and sex through y alone.
    """

    intercepts: Array
    """[diagnoses, levels - 1]"""
    weights: Weights

    def levels(self, load: Array) -> Array:
        """p(level) given y and the sum of weights, [...] -> [..., diagnoses, levels]."""
        return sequential_levels(self.intercepts, load)

    def probabilities(self, findings: Findings) -> Array:
        """p(level | y, findings), [diagnoses, levels]."""
        return self.levels(load_of(self.weights, findings))


Outcome: TypeAlias = Deterioration | Severity


def load_of(weights: Weights, findings: Findings) -> Array:
    """Σ weight of one patient's findings, []."""
    return np.array(sum(weight for (name, value), weight in weights.items() if findings[name] == value))


def sequential_levels(intercepts: Array, load: Array) -> Array:
    """The sequential model (Tutz 1991): step j is gone beyond with probability sigmoid(intercepts[y, j] + load).

    Args:
        intercepts: [diagnoses, levels - 1]; load: [...].
    Returns: [..., diagnoses, levels].
    """
    beyond = 1 / (1 + np.exp(-(intercepts + load[..., None, None])))
    edges = [(0, 0)] * (beyond.ndim - 1) + [(1, 1)]
    reached = np.pad(np.cumprod(beyond, axis=-1), edges, constant_values=((0, 0),) * (beyond.ndim - 1) + ((1, 0),))
    return np.asarray(reached[..., :-1] - reached[..., 1:])


@dataclass(frozen=True)
class WardModel:
    """The whole joint distribution."""

    prior: Array
    """p(y) at the reference age, between the sexes, [diagnoses]."""
    findings: tuple[Finding, ...]
    """Independent given y; the members of a pair are here too, with their marginal tables."""
    pairs: tuple[SynergyPair, ...]
    deterioration: Deterioration
    severity: Severity
    overlaps: tuple[RedundantPair, ...] = ()
    demographics: Demographics | None = None
    """None: age and sex say nothing of y."""

    def finding(self, name: str) -> Finding:
        """The finding of that name. Raises: KeyError."""
        return self.findings[self.position(name)]

    def position(self, name: str) -> int:
        """Where the finding of that name stands in `findings`. Raises: KeyError."""
        for i, finding in enumerate(self.findings):
            if finding.name == name:
                return i
        raise KeyError(name)

    @property
    def coupled(self) -> tuple[Pair, ...]:
        """All pairs of either kind."""
        return (*self.pairs, *self.overlaps)

    @property
    def paired(self) -> frozenset[str]:
        """Names of the findings that belong to a pair."""
        return frozenset(name for pair in self.coupled for name in (pair.first, pair.second))

    def prior_given(self, persons: Sequence[Person]) -> Array:
        """p(y | age, sex) of each, [n, diagnoses]."""
        logits = np.tile(np.log(self.prior), (len(persons), 1))
        if self.demographics is not None:
            logits = logits + self.demographics.tilt(persons)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Latents:
    """One patient before anything is rendered."""

    label: int
    findings: Findings
    deterioration: bool
    severity: int
    """Level, 0 the mildest."""
