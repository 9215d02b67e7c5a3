"""What the modalities tell of the diagnosis, in nats: I(y; findings of a subset | age, sex)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr

from services.diagnosis.ward.model import Array, Modality, WardModel
from services.diagnosis.ward.observation import PATTERNS
from services.diagnosis.ward.oracle import evidence, pattern_key
from services.diagnosis.ward.population import Person, Population
from services.diagnosis.ward.sampling import Draws

MOST_CELLS = 1 << 16


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error; 0 where it is exact."""

    value: float
    error: float = 0.0


class TooManyCells(ValueError):
    """The findings have more combinations than can be gone through; `estimated_information` draws patients instead."""


def information(model: WardModel, modalities: Iterable[Modality], population: Population | None = None) -> float:
    """I(y; findings of those modalities | age, sex), exactly: the expected gain of the oracle's log posterior of y.

    Goes through every combination of the findings that say anything of y, for every age and sex.
    Raises: TooManyCells.
    """
    chosen, total = frozenset(modalities), 0.0
    for person, probability in (population or Population()).ages_and_sexes():
        total += probability * _information_of(model, chosen, person)
    return total


def _information_of(model: WardModel, chosen: frozenset[Modality], person: Person) -> float:
    prior = model.prior_given([person])[0]
    cells = np.ones((len(prior), 1))
    for table in _tables(model, chosen, person):
        if table.shape[1] * cells.shape[1] > MOST_CELLS:
            raise TooManyCells(f"{pattern_key(chosen)}: more than {MOST_CELLS} combinations of findings")
        cells = (cells[:, :, None] * table[:, None, :]).reshape(len(prior), -1)  # p(x | y), [diagnoses, combinations]
    return float(prior @ rel_entr(cells, prior @ cells).sum(axis=1))


def _tables(model: WardModel, chosen: frozenset[Modality], person: Person) -> list[Array]:
    """p(values | y) of the findings and pairs that are seen and differ between diagnoses, [diagnoses, cells]."""
    seen = {finding.name for finding in model.findings if finding.modality in chosen}
    tables = []
    for pair in model.coupled:
        if {pair.first, pair.second} <= seen:
            tables.append(pair.joint().reshape(len(model.prior), -1))
            seen -= {pair.first, pair.second}
    tables += [finding.given([person])[0] for finding in model.findings if finding.name in seen]
    return [table for table in tables if not np.allclose(table, table[0], rtol=0, atol=1e-12)]


def estimated_information(model: WardModel, draws: Draws) -> dict[frozenset[str], Estimate]:
    """The same of every subset by Monte Carlo: the mean gain of the oracle's log posterior of the true diagnosis."""
    seen = evidence(model, draws.values, draws.persons)
    rows, values = np.arange(len(draws.labels)), {frozenset[str](): Estimate(0.0)}
    for pattern in PATTERNS:
        gain = np.log(seen.posterior(pattern)[rows, draws.labels]) - seen.log_prior[rows, draws.labels]
        values[frozenset(pattern)] = Estimate(float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(len(gain))))
    return values


def exact_values(model: WardModel, population: Population | None = None) -> dict[frozenset[str], float]:
    """v(S) of every subset of the modalities, for `shapley_values` and `interaction_indices`. Raises: TooManyCells."""
    return {frozenset[str](): 0.0} | {
        frozenset(pattern): information(model, pattern, population) for pattern in PATTERNS
    }
