"""The oracle: p(y | latent findings of any subset of modalities), exactly, by Bayes' rule."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.model import MODALITIES, Findings, Modality, WardModel


def pattern_key(modalities: Iterable[Modality]) -> str:
    """Name of an availability pattern: `image+note`, always in the order image, note, vitals."""
    chosen = set(modalities)
    return "+".join(modality for modality in MODALITIES if modality in chosen)


PATTERNS: tuple[tuple[Modality, ...], ...] = tuple(
    subset for size in range(1, len(MODALITIES) + 1) for subset in combinations(MODALITIES, size)
)
"""The seven non-empty subsets of the modalities."""


def log_likelihood(model: WardModel, findings: Findings, modalities: Iterable[Modality]) -> NDArray[np.float64]:
    """log p(findings of those modalities | y), [diagnoses].

    A pair counts once, through its joint table, when both members are seen; a single member through its marginal.
    """
    seen = {finding.name for finding in model.findings if finding.modality in set(modalities)}
    total = np.zeros(len(model.prior))
    for pair in model.pairs:
        if {pair.first, pair.second} <= seen:
            first = model.finding(pair.first).values.index(findings[pair.first])
            second = model.finding(pair.second).values.index(findings[pair.second])
            total += np.log(pair.joint()[:, first, second])
            seen -= {pair.first, pair.second}
    for finding in model.findings:
        if finding.name in seen:
            total += np.log(finding.table[:, finding.values.index(findings[finding.name])])
    return total


def posterior(model: WardModel, findings: Findings, modalities: Iterable[Modality]) -> NDArray[np.float64]:
    """p(y | findings of those modalities), [diagnoses]; of none, the prior."""
    logits = np.log(model.prior) + log_likelihood(model, findings, modalities)
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def posteriors(model: WardModel, findings: Findings) -> dict[str, list[float]]:
    """The posterior of each of the seven patterns."""
    return {pattern_key(subset): posterior(model, findings, subset).tolist() for subset in PATTERNS}


def deterioration_probability(model: WardModel, findings: Findings) -> float:
    """p(deterioration | all findings), the diagnosis summed out."""
    return float(posterior(model, findings, MODALITIES) @ model.deterioration.probability(findings))
