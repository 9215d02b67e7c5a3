"""Drawing from the generative model: one patient for the renderers, many at once for Monte Carlo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.model import Array, Findings, Latents, WardModel, Weights
from services.diagnosis.ward.population import Person, Population

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Draws:
    """Many patients as arrays; the i-th of each belong together."""

    persons: Sequence[Person]
    labels: Codes
    """[n]"""
    values: Codes
    """Index of each finding's value, [n, findings]."""
    deterioration: NDArray[np.bool_]
    """[n]"""
    severity: Codes
    """Levels, [n]."""


def sample(model: WardModel, rng: np.random.Generator, *, person: Person, label: int | None = None) -> Latents:
    """Draw one patient. One uniform number per variable in a fixed order, whatever the values turn out to be."""
    draws = draw(model, [person], rng, label=label)
    findings = {f.name: f.values[code] for f, code in zip(model.findings, draws.values[0].tolist(), strict=True)}
    return Latents(int(draws.labels[0]), findings, bool(draws.deterioration[0]), int(draws.severity[0]))


def sample_many(model: WardModel, population: Population, n: int, rng: np.random.Generator) -> Draws:
    """n patients of a population."""
    return draw(model, [population.draw(rng) for _ in range(n)], rng)


def draw(model: WardModel, persons: Sequence[Person], rng: np.random.Generator, *, label: int | None = None) -> Draws:
    """One patient for each person; all of diagnosis `label` where it is given.

    The severity has a stream of its own, spawned from the generator: it changes no other number that is drawn.
    """
    n, rows = len(persons), np.arange(len(persons))
    uniforms = iter(rng.random((n, 2 + len(model.findings) + len(model.coupled))).T)
    labels = pick(model.prior_given(persons), next(uniforms))
    if label is not None:
        labels = np.full(n, label)
    values = np.empty((n, len(model.findings)), dtype=np.intp)
    for j, finding in enumerate(model.findings):
        table = finding.given(persons)
        values[:, j] = pick(table[rows if len(table) > 1 else 0, labels], next(uniforms))
    for pair in model.coupled:
        joint = pair.joint()
        both = pick(joint.reshape(len(joint), -1)[labels], next(uniforms))
        values[:, model.position(pair.first)], values[:, model.position(pair.second)] = divmod(both, joint.shape[2])
    worsens = model.deterioration.levels(loads(model, model.deterioration.weights, values))[rows, labels, 1]
    levels = model.severity.levels(loads(model, model.severity.weights, values))[rows, labels]
    severity = pick(levels, rng.spawn(1)[0].random(n))
    return Draws(persons, labels, values, next(uniforms) < worsens, severity)


def loads(model: WardModel, weights: Weights, values: Codes) -> Array:
    """Σ weight of the findings that are present, of each patient, [n]."""
    total = np.zeros(len(values))
    for (name, value), weight in weights.items():
        j = model.position(name)
        total += weight * (values[:, j] == model.findings[j].values.index(value))
    return total


def coded(model: WardModel, findings: Findings) -> Codes:
    """One patient's findings as indices, [1, findings]."""
    return np.array([[f.values.index(findings[f.name]) for f in model.findings]], dtype=np.intp)


def pick(probabilities: Array, uniforms: Array) -> Codes:
    """The index at which each row's cumulative probability passes its uniform number, [n]."""
    passed = (np.cumsum(probabilities, axis=1) <= uniforms[:, None]).sum(axis=1)
    return np.asarray(np.minimum(passed, probabilities.shape[1] - 1))
