"""Three dials: how much the findings say that is unique to a modality, redundant, or known only from two together.

At 1 the ward is as `tables.py` has it, at 0 that kind of finding says nothing of the diagnosis; in between, each table
lies on the straight line to its average over the diagnoses. With all dials at 0 only age and sex say anything.
`dial_ward` gives wards of one kind alone, whose modality Shapley values are known: known-answer tests for models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from services.diagnosis.ward.model import Array, Documented, Finding, RedundantPair, SynergyPair, WardModel
from services.diagnosis.ward.tables import WARD, overlapping

Kind: TypeAlias = Literal["unique", "redundant", "synergy"]
COPIES = ("interstitial_oedema", "tachypnoea")
"""Image and vitals, absent or present: in the redundant ward the second copies the first."""


@dataclass(frozen=True)
class Dials:
    """Each in [0, 1]. Raises: ValueError: one is not."""

    unique: float = 1.0
    """Findings of one modality that belong to no pair: p(x | y) moves to its average over y."""
    redundant: float = 1.0
    """Redundant pairs: the tables of both causes move so; how often the one repeats the other stays."""
    synergy: float = 1.0
    """Synergy pairs: their agreement κ(y) moves to 1/2."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"the dial {name} is {value:g}; it goes from 0 to 1")


@lru_cache(maxsize=8)
def build_model(dials: Dials = Dials()) -> WardModel:
    """The ward with its dials so turned."""
    if dials == Dials():
        return WARD
    doubled = {name for pair in WARD.overlaps for name in (pair.first, pair.second)}
    weights = {f.name: dials.redundant if f.name in doubled else dials.unique for f in WARD.findings}
    return _turned(WARD, weights, dials.synergy)


@lru_cache(maxsize=3)
def dial_ward(kind: Kind) -> WardModel:
    """A ward in which all that findings say is of one kind; it has every finding of the ward, so it can be rendered.

    unique: the image's own findings alone say something. redundant: one finding of the vitals is the copy of one of
    the image. synergy: one pair of image and note.
    """
    silent = {finding.name: 0.0 for finding in WARD.findings}
    if kind == "unique":
        own = {f.name: 1.0 for f in WARD.findings if f.modality == "image" and f.name not in WARD.paired}
        return replace(_turned(WARD, silent | own, synergy=0.0), overlaps=())
    if kind == "synergy":
        turned = _turned(WARD, silent, synergy=1.0)
        quiet = tuple(_disagreeing(pair, 0.0) for pair in turned.pairs[1:])
        return replace(turned, pairs=(turned.pairs[0], *quiet), overlaps=())
    turned = _turned(WARD, silent, synergy=0.0)
    first, second = WARD.finding(COPIES[0]), replace(WARD.finding(COPIES[1]), table=WARD.finding(COPIES[0]).table)
    copies = {first.name: first, second.name: second}
    findings = tuple(copies.get(finding.name, finding) for finding in turned.findings)
    return replace(turned, findings=findings, overlaps=(overlapping(first, second, 1.0),))


def _turned(model: WardModel, weights: dict[str, float], synergy: float) -> WardModel:
    findings = tuple(_faded(finding, weights[finding.name], model.prior) for finding in model.findings)
    overlaps = tuple(_faded_pair(pair, weights, model.prior) for pair in model.overlaps)
    pairs = tuple(_disagreeing(pair, synergy) for pair in model.pairs)
    return replace(model, findings=findings, overlaps=overlaps, pairs=pairs)


def _towards_average(table: Array, weight: float, prior: Array) -> Array:
    """`table` [diagnoses, …] moved to its average over the diagnoses, at which it says nothing of them."""
    return np.asarray(weight * table + (1 - weight) * np.tensordot(prior, table, axes=1))


def _faded(finding: Finding, weight: float, prior: Array) -> Finding:
    if finding.documented is None:
        return replace(finding, table=_towards_average(finding.table, weight, prior))
    present = _towards_average(finding.documented.present, weight, prior)
    documented = Documented(present, finding.documented.written, finding.documented.age_slope)
    return replace(finding, table=documented.table(), documented=documented)


def _faded_pair(pair: RedundantPair, weights: dict[str, float], prior: Array) -> RedundantPair:
    first, second = pair.causes
    return replace(
        pair,
        causes=(
            _towards_average(first, weights[pair.first], prior),
            _towards_average(second, weights[pair.second], prior),
        ),
    )


def _disagreeing(pair: SynergyPair, weight: float) -> SynergyPair:
    return replace(pair, agreement=weight * pair.agreement + (1 - weight) * 0.5)
