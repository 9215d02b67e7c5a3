"""Which vital sign, when: reading attributions summed per variable and window of time."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.attribution.gradients import rescale_to
from services.diagnosis.inference.prediction import VitalsExplanation
from services.diagnosis.model.preprocessing.vitals import CODES, Readings

WINDOW_H = 6.0
MAX_WINDOWS = 12


def explain_vitals(
    readings: Readings, attributions: NDArray[np.float64], contribution: float, as_of: datetime
) -> tuple[VitalsExplanation, ...]:
    """Windows from attributions [readings]; they sum to `contribution`. Neighbouring windows of one sign are merged."""
    runs = [run for variable in range(len(CODES)) for run in _runs(readings, attributions, variable)]
    strongest = max((abs(run[3]) for run in runs), default=0.0)
    large = [run for run in runs if abs(run[3]) >= 0.05 * strongest]
    chosen = sorted(large, key=lambda run: -abs(run[3]))[:MAX_WINDOWS]
    shares = rescale_to(np.array([run[3] for run in chosen]), contribution) if chosen else np.zeros(0)
    return tuple(
        VitalsExplanation(CODES[variable], _moment(as_of, start), _moment(as_of, end), float(share))
        for (variable, start, end, _), share in zip(chosen, shares, strict=True)
    )


def _runs(
    readings: Readings, attributions: NDArray[np.float64], variable: int
) -> list[tuple[int, float, float, float]]:
    own = readings.variables == variable
    times_h, values = readings.times_h[own], attributions[own]
    windows = np.floor(times_h / WINDOW_H).astype(int)
    runs: list[tuple[int, float, float, float]] = []
    for window in np.unique(windows):
        inside = windows == window
        total, first, last = float(values[inside].sum()), float(times_h[inside].min()), float(times_h[inside].max())
        if runs and runs[-1][3] * total > 0:
            runs[-1] = (variable, runs[-1][1], last, runs[-1][3] + total)
        else:
            runs.append((variable, first, last, total))
    return runs


def _moment(as_of: datetime, hours: float) -> datetime:
    return as_of + timedelta(hours=round(hours, 4))
