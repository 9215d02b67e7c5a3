"""Stays as arrays, their scale, and batches of them as the vitals encoder takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.datasets.physionet2012 import HORIZON_H, TASKS, PhysioNet2012
from services.diagnosis.datasets.physionet_variables import BODY_HEIGHT, ICU_TYPES, VARIABLES
from services.diagnosis.model.encoder import Inputs

Array = NDArray[np.float64]
FACTS = ("age", "male", "height", *ICU_TYPES.values())
"""Known at admission, as readings of that moment."""
NAMES = (*VARIABLES, *FACTS)
SKEWED = 2.0
"""Skewness of a variable from which its logarithm is taken."""


@dataclass(frozen=True)
class Stay:
    """One stay's readings, facts among them, oldest first; hours relative to the 48th."""

    times_h: Array
    variables: NDArray[np.int64]
    values: Array
    died: bool


def read_stays(path: Path) -> list[Stay]:
    """Every stay below `path`. Raises: DatasetError."""
    return [_stay(case) for case in PhysioNet2012(path).cases()]


def _stay(case: LabelledCase) -> Stay:
    inputs, series = case.inputs, case.series
    facts: dict[str, float | None] = {
        "age": inputs.age_years,
        "male": None if inputs.sex is None else float(inputs.sex == "M"),
        "height": case.measurements.get(BODY_HEIGHT),
        **({case.subgroups["icu"]: 1.0} if "icu" in case.subgroups else {}),
    }
    known = [(NAMES.index(name), value) for name, value in facts.items() if value is not None]
    times = [np.full(len(known), -HORIZON_H)]
    variables, values = [[index for index, _ in known]], [[value for _, value in known]]
    if series is not None:
        times.append(series.times_h)
        variables.append([NAMES.index(name) for name in series.variables])
        values.append(series.values.tolist())
    order = np.argsort(np.concatenate(times), kind="stable")
    return Stay(
        np.concatenate(times)[order],
        np.array([index for part in variables for index in part], np.int64)[order],
        np.array([value for part in values for value in part], np.float64)[order],
        bool(case.targets[TASKS[0].name]),
    )


@dataclass(frozen=True)
class Scale:
    """Logarithm where skewed, then mean and deviation, within the first and last hundredth: of training stays alone."""

    logarithm: NDArray[np.bool_]
    low: Array
    high: Array
    mean: Array
    deviation: Array

    @classmethod
    def fit(cls, stays: Sequence[Stay]) -> Scale:
        variables = np.concatenate([stay.variables for stay in stays])
        values = np.concatenate([stay.values for stay in stays])
        rows = []
        for index in range(len(NAMES)):
            own = values[variables == index] if (variables == index).any() else np.zeros(1)
            deviation = own.std()
            skew = ((own - own.mean()) ** 3).mean() / deviation**3 if deviation > 0 else 0.0
            shown = np.log1p(np.maximum(own, 0)) if skew > SKEWED else own
            low, high = np.quantile(shown, (0.01, 0.99))
            clipped = np.clip(shown, low, high)
            rows.append((skew > SKEWED, low, high, clipped.mean(), clipped.std() or 1.0))
        logarithm, low, high, mean, deviation = (np.array(column) for column in zip(*rows, strict=True))
        return cls(logarithm, low, high, mean, deviation)

    def __call__(self, stay: Stay) -> Array:
        own = stay.variables
        shown = np.where(self.logarithm[own], np.log1p(np.maximum(stay.values, 0)), stay.values)
        clipped = np.clip(shown, self.low[own], self.high[own])
        return np.asarray((clipped - self.mean[own]) / self.deviation[own])


@dataclass(frozen=True)
class Feed:
    """Batches of stays, as the encoder takes them."""

    features: tuple[NDArray[np.float32], ...]
    stays: tuple[Stay, ...]

    @classmethod
    def of(cls, stays: Sequence[Stay], scale: Scale) -> Feed:
        return cls(tuple(_features(stay, scale(stay)) for stay in stays), tuple(stays))

    def __call__(self, rows: NDArray[np.int64]) -> Inputs:
        """Readings [batch, longest stay], padded."""
        longest = max(len(self.features[row]) for row in rows)
        out = {
            "readings": torch.zeros(len(rows), longest, 4),
            "times_h": torch.zeros(len(rows), longest),
            "clock_h": torch.zeros(len(rows), longest),
            "variables": torch.zeros(len(rows), longest, dtype=torch.long),
            "mask": torch.zeros(len(rows), longest, dtype=torch.bool),
        }
        for line, row in enumerate(rows):
            stay, count = self.stays[row], len(self.features[row])
            out["readings"][line, :count] = torch.from_numpy(self.features[row])
            out["times_h"][line, :count] = torch.from_numpy(stay.times_h.astype(np.float32))
            out["variables"][line, :count] = torch.from_numpy(stay.variables)
            out["mask"][line, :count] = True
        return out


def _features(stay: Stay, value: Array) -> NDArray[np.float32]:
    """[n, 4] as `preprocessing.vitals.reading_features`: value, change, log gap, first of its kind."""
    last: dict[int, tuple[float, float]] = {}
    rows = np.zeros((len(value), 4), np.float32)
    for i, (variable, t, v) in enumerate(
        zip(stay.variables.tolist(), stay.times_h.tolist(), value.tolist(), strict=True)
    ):
        before = last.get(variable)
        rows[i] = (v, 0, 0, 1) if before is None else (v, v - before[1], np.log1p(t - before[0]), 0)
        last[variable] = t, v
    return rows
