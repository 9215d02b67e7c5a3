"""Which findings of a case speak for a label: Bayes factors from the ward's own tables."""

from __future__ import annotations

import numpy as np

from services.diagnosis.evaluation.subject import Array
from services.diagnosis.ward.model import Findings, Modality, WardModel


def bayes_factors(
    model: WardModel, findings: Findings, modalities: tuple[Modality, ...], label: int
) -> dict[str, float]:
    """Finding -> log p(its value | label) - log p(its value | any other label), for findings of those modalities.

    At the age to which the tables refer, the other labels weighed by their prior. Both members of a synergy pair get
    the factor of their joint value when both modalities are there, and 0 when one is missing: alone it says nothing.
    Members of a redundant pair each keep what they say alone.
    """
    factors = {}
    for finding in model.findings:
        if finding.modality in modalities:
            column = finding.table[:, finding.values.index(findings[finding.name])]
            factors[finding.name] = _log_ratio(model, column, label)
    for pair in model.pairs:
        if pair.first in factors and pair.second in factors:
            first = model.finding(pair.first).values.index(findings[pair.first])
            second = model.finding(pair.second).values.index(findings[pair.second])
            factor = _log_ratio(model, pair.joint()[:, first, second], label)
            factors[pair.first] = factors[pair.second] = factor
    return factors


def supporting(model: WardModel, findings: Findings, modalities: tuple[Modality, ...], label: int) -> frozenset[str]:
    """Findings whose factor is positive, normal values included: they too may speak for a label."""
    factors = bayes_factors(model, findings, modalities, label)
    return frozenset(name for name, factor in factors.items() if factor > 1e-9)


def _log_ratio(model: WardModel, likelihood: Array, label: int) -> float:
    others = np.delete(model.prior, label) / np.delete(model.prior, label).sum()
    return float(np.log(likelihood[label]) - np.log(np.delete(likelihood, label) @ others))
