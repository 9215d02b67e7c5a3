"""From age, sex and laboratory values to what the tabular encoder takes; what is unknown stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput
from shared.codes import FACTS, LABORATORY

CODES = tuple(coding.code for coding in FACTS)
AGE, SEX = 0, 1
OLDEST_YEARS = 125.0
_FIRST_TEST = 2
_TESTS = {test.coding.code: (_FIRST_TEST + place, test) for place, test in enumerate(LABORATORY)}
_SEX = {"F": -0.5, "M": 0.5}
MOST = 5.0
"""Deviations from the mean beyond which a value says no more."""


@dataclass(frozen=True)
class Facts:
    """One case's facts; NaN where unknown."""

    values: NDArray[np.float64]
    """[facts]: years, -½ or +½ for women or men, log(1 + value) of laboratory tests."""
    refused: int
    """Values that cannot be, or of an unknown test."""


@dataclass(frozen=True)
class TabularScale:
    """Mean and deviation of each fact over the training cases, and in how many of them it was known."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    known: tuple[int, ...]

    @classmethod
    def fit(cls, cases: Sequence[Facts]) -> TabularScale:
        values = np.stack([case.values for case in cases])
        mean, deviation, known = [0.0] * len(CODES), [1.0] * len(CODES), [0] * len(CODES)
        for fact in range(len(CODES)):
            own = values[~np.isnan(values[:, fact]), fact]
            known[fact] = len(own)
            if len(own) > 1 and fact != SEX:
                mean[fact], deviation[fact] = float(own.mean()), float(own.std()) + 1e-3
        return cls(tuple(mean), tuple(deviation), tuple(known))

    @classmethod
    def from_json(cls, value: Mapping[str, Sequence[float]]) -> TabularScale:
        return cls(tuple(value["mean"]), tuple(value["deviation"]), tuple(int(count) for count in value["known"]))


def select_facts(case: CaseInput) -> Facts:
    """What is known of a case and can be."""
    values, refused = np.full(len(CODES), np.nan), 0
    if case.age_years is not None:
        if 0 <= case.age_years <= OLDEST_YEARS:
            values[AGE] = case.age_years
        else:
            refused += 1
    values[SEX] = _SEX.get(case.sex or "", np.nan)
    for item in case.laboratory:
        place, test = _TESTS.get(item.code, (-1, None))
        if test is not None and np.isfinite(item.value) and test.low <= item.value <= test.high:
            values[place] = np.log1p(item.value)
        else:
            refused += 1
    return Facts(values, refused)


def fact_features(facts: Facts, scale: TabularScale) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Standardised values [facts], zero where unknown, and which are known; what training never saw is unknown."""
    mask = ~np.isnan(facts.values) & (np.array(scale.known) > 0)
    standard = (np.nan_to_num(facts.values) - np.array(scale.mean)) / np.array(scale.deviation)
    return np.where(mask, np.clip(standard, -MOST, MOST), 0.0).astype(np.float32), mask


def fact_statistics(facts: Facts, scale: TabularScale) -> NDArray[np.float64]:
    """[facts]: standardised values, zero where unknown, for the out-of-distribution test."""
    return fact_features(facts, scale)[0].astype(np.float64)
