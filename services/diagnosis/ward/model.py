"""The generative model: a joint distribution over diagnosis and latent findings, as data.

A patient is a primary diagnosis y ~ PRIOR and one value for each finding. Given y the findings are independent, except
the two members of a `SynergyPair`, whose values agree or disagree depending on y while each alone says nothing. What
the renderers draw depends on the findings and on nuisance, never on y itself, so the posterior of the latent findings
bounds every model.
Tables: `tables.py`; the exact posterior: `oracle.py`; the formulas in words: docs/explanation/the-ward.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Modality: TypeAlias = Literal["image", "note", "vitals"]
Findings: TypeAlias = Mapping[str, str]
"""Finding -> the value it takes, for every finding of the model."""

MODALITIES: tuple[Modality, ...] = ("image", "note", "vitals")


@dataclass(frozen=True)
class Finding:
    """One latent variable of one modality and its conditional table."""

    name: str
    modality: Modality
    values: tuple[str, ...]
    """The first value is the normal one: the renderer shows nothing."""
    table: NDArray[np.float64]
    """p(value | y), [diagnoses, values]; rows sum to 1."""


@dataclass(frozen=True)
class SynergyPair:
    """Two findings (absent, a, b) of different modalities that mean something only together.

    Both are present independently of y; then each is a or b with probability 1/2, and they agree with probability
    `agreement[y]`. Either marginal is therefore the same for every y.
    """

    first: str
    second: str
    presence: tuple[float, float]
    agreement: NDArray[np.float64]

    def joint(self) -> NDArray[np.float64]:
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
class Deterioration:
    """p(deteriorates within 24 h) = sigmoid(intercept[y] + Σ weight of each vitals finding that is present)."""

    intercept: NDArray[np.float64]
    weights: Mapping[tuple[str, str], float]

    def probability(self, findings: Findings) -> NDArray[np.float64]:
        """p(deterioration | y, findings), [diagnoses]."""
        severity = sum(weight for (name, value), weight in self.weights.items() if findings[name] == value)
        return np.asarray(1 / (1 + np.exp(-(self.intercept + severity))))


@dataclass(frozen=True)
class WardModel:
    """The whole joint distribution."""

    prior: NDArray[np.float64]
    findings: tuple[Finding, ...]
    """Independent given y; the members of a pair are here too, with their marginal tables."""
    pairs: tuple[SynergyPair, ...]
    deterioration: Deterioration

    def finding(self, name: str) -> Finding:
        """The finding of that name. Raises: KeyError."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(name)

    @property
    def paired(self) -> frozenset[str]:
        """Names of the findings that belong to a pair."""
        return frozenset(name for pair in self.pairs for name in (pair.first, pair.second))


@dataclass(frozen=True)
class Latents:
    """One patient before anything is rendered."""

    label: int
    findings: Findings
    deterioration: bool


def sample(model: WardModel, rng: np.random.Generator, *, label: int | None = None) -> Latents:
    """Draw one patient. One uniform number per variable in a fixed order, whatever the values turn out to be."""
    y = _draw(model.prior, rng.random())
    y = y if label is None else label
    findings: dict[str, str] = {}
    for finding in model.findings:
        findings[finding.name] = finding.values[_draw(finding.table[y], rng.random())]
    for pair in model.pairs:
        first, second = divmod(_draw(pair.joint()[y].ravel(), rng.random()), 3)
        findings[pair.first] = model.finding(pair.first).values[first]
        findings[pair.second] = model.finding(pair.second).values[second]
    worsens = rng.random() < model.deterioration.probability(findings)[y]
    return Latents(label=y, findings=findings, deterioration=bool(worsens))


def _draw(probabilities: NDArray[np.float64], uniform: float) -> int:
    return min(int(np.searchsorted(np.cumsum(probabilities), uniform, side="right")), len(probabilities) - 1)
