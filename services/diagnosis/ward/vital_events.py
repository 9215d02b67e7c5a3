"""What illness does to vital signs: each finding of the vitals changes its signs in place, within windows it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.wearables import DIASTOLIC, HR, HRV, RR, SPO2, STEPS, SYSTOLIC, TEMPERATURE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """What every event of one patient shares."""

    onset_h: float
    """When gradual illness begins."""
    abrupt_h: float
    """When sudden illness strikes."""
    strength: float
    rng: np.random.Generator
    """The events' own stream: a finding more or less leaves everything outside its window as it was."""


Windows = list[tuple[str, float, float]]
"""(LOINC code, from hour, to hour)."""
Event = Callable[[str, dict[str, Array], dict[str, Array], Course], Windows]
"""(value of the finding, times, resting values to change, course) -> where they were changed."""


def draw_course(rng: np.random.Generator) -> Course:
    """When and how strongly this patient falls ill, whatever the illness."""
    # A generator made of a number: `spawn` would count in the patient's seed, and a second rendering would differ.
    own = np.random.default_rng(int(rng.integers(2**63)))
    return Course(-rng.uniform(20, 44), -rng.uniform(14, 36), rng.uniform(0.75, 1.35), own)


def _rise(t: Array, start: float, hours: float) -> Array:
    return np.asarray(np.clip((t - start) / hours, 0, 1))


def _fever_curve(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    t = times[TEMPERATURE]
    if value == "low_grade":
        values[TEMPERATURE] += 0.9 * c.strength**0.3 * _rise(t, c.onset_h, 6)
    else:
        peaks = 0.5 + 0.5 * np.sin(2 * np.pi * (t - c.rng.uniform(0, 9)) / c.rng.uniform(7, 11))
        values[TEMPERATURE] += (0.8 + 1.7 * c.strength**0.5 * peaks) * _rise(t, c.onset_h, 3)
    return [(TEMPERATURE, c.onset_h, 0.0)]


def _tachycardia(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    t = times[HR]
    if value == "sustained":
        values[HR] += 30 * c.strength * _rise(t, c.onset_h, 5)
    else:
        values[HR] += (10 + c.rng.normal(0, 17, len(t))) * c.strength**0.5 * (t > c.onset_h)
    return [(HR, c.onset_h, 0.0)]


def _desaturation(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    if value == "gradual":
        values[SPO2] -= 5.5 * c.strength * _rise(times[SPO2], c.onset_h, -c.onset_h)
        return [(SPO2, c.onset_h, 0.0)]
    values[SPO2] -= 5.5 * c.strength * _rise(times[SPO2], c.abrupt_h, 0.2)
    return [(SPO2, c.abrupt_h, 0.0)]


def _tachypnoea(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    values[RR] += 8 * c.strength * _rise(times[RR], c.onset_h, 4)
    return [(RR, c.onset_h, 0.0)]


def _blood_pressure(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    delta = (-34 if value == "low" else 38) * c.strength
    values[SYSTOLIC] += delta * _rise(times[SYSTOLIC], c.onset_h, 4)
    values[DIASTOLIC] += 0.55 * delta * _rise(times[DIASTOLIC], c.onset_h, 4)
    return [(SYSTOLIC, c.onset_h, 0.0), (DIASTOLIC, c.onset_h, 0.0)]


def _inactivity(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    if value == "gradual":
        values[STEPS] *= 1 - 0.9 * _rise(times[STEPS], c.onset_h - 12, 24)
        return [(STEPS, c.onset_h - 12, 0.0)]
    values[STEPS] *= 1 - 0.97 * _rise(times[STEPS], c.abrupt_h, 0.5)
    return [(STEPS, c.abrupt_h, 0.0)]


def _low_variability(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    values[HRV] *= 1 - 0.55 * c.strength**0.3 * _rise(times[HRV], c.onset_h, 4)
    return [(HRV, c.onset_h, 0.0)]


def _saturation_dips(value: str, times: dict[str, Array], values: dict[str, Array], c: Course) -> Windows:
    start = c.rng.uniform(-68, -60) if value == "earlier" else c.rng.uniform(-22, -14)
    t, windows = times[SPO2], []
    for _ in range(5):
        length = c.rng.uniform(0.8, 1.3)
        values[SPO2] -= 8 * c.strength**0.5 * ((t >= start) & (t <= start + length))
        windows.append((SPO2, float(start), float(min(start + length, 0.0))))
        start += length + c.rng.uniform(0.8, 1.6)
    return windows


EVENTS: dict[str, Event] = {
    "fever_curve": _fever_curve,
    "tachycardia": _tachycardia,
    "desaturation": _desaturation,
    "tachypnoea": _tachypnoea,
    "blood_pressure": _blood_pressure,
    "inactivity": _inactivity,
    "low_variability": _low_variability,
    "saturation_dips": _saturation_dips,
}
"""Finding -> what it does."""
