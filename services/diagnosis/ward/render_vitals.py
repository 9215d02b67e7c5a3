"""72 hours of a wearable: irregular streams up to the case time, and the window of each event in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.model import Findings
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.wearables import STANDARD_WEARABLE, Wearable
from shared import codes

Array = NDArray[np.float64]
SPAN_H = 72.0
HR, RR, SPO2 = codes.HEART_RATE.code, codes.RESPIRATORY_RATE.code, codes.OXYGEN_SATURATION.code
TEMPERATURE, STEPS, HRV = codes.BODY_TEMPERATURE.code, codes.STEPS.code, codes.HEART_RATE_VARIABILITY.code
SYSTOLIC, DIASTOLIC = codes.SYSTOLIC_BLOOD_PRESSURE.code, codes.DIASTOLIC_BLOOD_PRESSURE.code
CODES = (HR, SPO2, RR, TEMPERATURE, SYSTOLIC, DIASTOLIC, STEPS, HRV)


@dataclass(frozen=True)
class Channel:
    """How a wearable measures one vital sign."""

    interval_h: float
    resolution: float
    noise: float
    artefact: float
    """Deviation of an artefact's value."""
    low: float
    high: float


CHANNELS: dict[str, Channel] = {
    HR: Channel(0.22, 1, 2.5, 35, 25, 230),
    SPO2: Channel(0.33, 1, 0.6, 9, 60, 100),
    RR: Channel(0.5, 1, 1.0, 8, 4, 60),
    TEMPERATURE: Channel(1.2, 0.1, 0.10, 1.5, 33, 42.5),
    SYSTOLIC: Channel(3.0, 1, 4.0, 25, 60, 240),
    DIASTOLIC: Channel(3.0, 1, 3.0, 18, 30, 140),
    STEPS: Channel(1.0, 1, 0.0, 0, 0, 5000),
    HRV: Channel(1.0, 1, 4.0, 30, 3, 200),
}


@dataclass(frozen=True)
class Stream:
    """Samples, oldest first: hours before the case (<= 0), whole seconds. Windows: (code, from, to, finding)."""

    times_h: Array
    codes: tuple[str, ...]
    values: Array
    windows: tuple[tuple[str, float, float, str], ...]


@dataclass(frozen=True)
class _Course:
    """What every event of one patient shares."""

    onset_h: float
    """When gradual illness begins."""
    abrupt_h: float
    """When sudden illness strikes."""
    strength: float
    rng: np.random.Generator
    """The events' own stream: a finding more or less leaves everything outside its window as it was."""


def render_vitals(
    findings: Findings,
    rng: np.random.Generator,
    *,
    hour_of_day: float,
    person: Person = ANYONE,
    wearable: Wearable = STANDARD_WEARABLE,
) -> Stream:
    """Draw the streams of one patient.

    Args:
        hour_of_day: local time at the case, for the circadian rhythm.
    """
    course = _Course(-rng.uniform(20, 44), -rng.uniform(14, 36), rng.uniform(0.75, 1.35), rng.spawn(1)[0])
    baseline = _baseline(rng, person.age_years)
    gaps, density = _gaps(rng), rng.uniform(0.6, 1.5)
    times = _sample_times(rng, gaps, density)
    values = {code: _resting(code, times[code], baseline, hour_of_day, rng) for code in CODES}
    windows: list[tuple[str, float, float, str]] = []
    for name, event in _EVENTS.items():
        if findings[name] != "absent":
            windows += [(code, start, end, name) for code, start, end in event(findings[name], times, values, course)]
    for code in CODES:
        values[code] = _measure(values[code], CHANNELS[code], rng)
    return _merge(times, values, tuple(windows))


def _baseline(rng: np.random.Generator, age: int) -> dict[str, float]:
    systolic = rng.normal(122 + 0.12 * (age - 60), 7)
    return {
        HR: rng.normal(72, 6), SPO2: rng.normal(96.8, 0.6), RR: rng.normal(15, 1.2), TEMPERATURE: rng.normal(36.7,
        0.15),
        SYSTOLIC: systolic, DIASTOLIC: systolic * rng.normal(0.62, 0.03), STEPS: rng.uniform(250, 500),
        HRV: rng.normal(46, 5),
    }  # fmt: skip


def _gaps(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Charging and forgetting: two to five holes of up to four hours."""
    starts = rng.uniform(-SPAN_H, -1, rng.integers(2, 6))
    return [
        (float(start), float(start + length))
        for start, length in zip(starts, rng.uniform(0.5, 4, len(starts)), strict=True)
    ]


def _sample_times(rng: np.random.Generator, gaps: list[tuple[float, float]], density: float) -> dict[str, Array]:
    times = {}
    for code, channel in CHANNELS.items():
        interval = channel.interval_h / density * rng.uniform(0.8, 1.25)
        steps = rng.gamma(4.0, interval / 4.0, int(SPAN_H / interval * 1.6) + 8)
        at = -SPAN_H + np.cumsum(steps)
        at = at[at < 0]
        for start, end in gaps:
            at = at[(at < start) | (at > end)]
        times[code] = np.unique(np.round(at * 3600)) / 3600
    times[DIASTOLIC] = times[SYSTOLIC]
    return times


def _resting(code: str, t: Array, baseline: dict[str, float], hour_of_day: float, rng: np.random.Generator) -> Array:
    """Baseline, circadian rhythm and slow wander."""
    daylight = np.cos(2 * np.pi * (hour_of_day + t - 16) / 24)  # +1 at 16:00, -1 at 04:00
    wander = _wander(t, rng)
    if code == STEPS:
        awake = np.clip(0.35 + daylight, 0, None)
        return np.asarray(baseline[code] * awake * rng.gamma(1.5, 1 / 1.5, len(t)))
    day = {HR: 7.0, SPO2: 0.4, RR: 1.0, TEMPERATURE: 0.25, SYSTOLIC: 6.0, DIASTOLIC: 4.0, HRV: -6.0}[code]
    drift = {HR: 2.5, SPO2: 0.3, RR: 0.7, TEMPERATURE: 0.07, SYSTOLIC: 3.0, DIASTOLIC: 2.0, HRV: 3.0}[code]
    return np.asarray(baseline[code] + day * daylight + drift * wander)


def _wander(t: Array, rng: np.random.Generator) -> Array:
    knots = rng.standard_normal(19)
    return np.asarray(np.interp(t, np.linspace(-SPAN_H, 0, 19), knots))


def _measure(values: Array, channel: Channel, rng: np.random.Generator) -> Array:
    noise = rng.normal(0, 1, len(values)) * channel.noise
    artefact = (rng.random(len(values)) < 0.012) * rng.normal(0, 1, len(values)) * channel.artefact
    measured = np.clip(values + noise + artefact, channel.low, channel.high)
    return np.asarray(np.round(np.round(measured / channel.resolution) * channel.resolution, 1))


def _merge(
    times: dict[str, Array], values: dict[str, Array], windows: tuple[tuple[str, float, float, str], ...]
) -> Stream:
    at = np.concatenate([times[code] for code in CODES])
    order = np.argsort(at, kind="stable")
    names = np.repeat(np.arange(len(CODES)), [len(times[code]) for code in CODES])[order]
    merged = np.concatenate([values[code] for code in CODES])[order]
    return Stream(at[order], tuple(CODES[i] for i in names), merged, windows)


# Events change the resting values in place and give back where: (code, from, to).
_Windows = list[tuple[str, float, float]]
_Event = Callable[[str, dict[str, Array], dict[str, Array], _Course], _Windows]


def _rise(t: Array, start: float, hours: float) -> Array:
    return np.asarray(np.clip((t - start) / hours, 0, 1))


def _fever_curve(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    t = times[TEMPERATURE]
    if value == "low_grade":
        values[TEMPERATURE] += 0.9 * c.strength**0.3 * _rise(t, c.onset_h, 6)
    else:
        peaks = 0.5 + 0.5 * np.sin(2 * np.pi * (t - c.rng.uniform(0, 9)) / c.rng.uniform(7, 11))
        values[TEMPERATURE] += (0.8 + 1.7 * c.strength**0.5 * peaks) * _rise(t, c.onset_h, 3)
    return [(TEMPERATURE, c.onset_h, 0.0)]


def _tachycardia(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    t = times[HR]
    if value == "sustained":
        values[HR] += 30 * c.strength * _rise(t, c.onset_h, 5)
    else:
        values[HR] += (10 + c.rng.normal(0, 17, len(t))) * c.strength**0.5 * (t > c.onset_h)
    return [(HR, c.onset_h, 0.0)]


def _desaturation(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    if value == "gradual":
        values[SPO2] -= 5.5 * c.strength * _rise(times[SPO2], c.onset_h, -c.onset_h)
        return [(SPO2, c.onset_h, 0.0)]
    values[SPO2] -= 5.5 * c.strength * _rise(times[SPO2], c.abrupt_h, 0.2)
    return [(SPO2, c.abrupt_h, 0.0)]


def _tachypnoea(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    values[RR] += 8 * c.strength * _rise(times[RR], c.onset_h, 4)
    return [(RR, c.onset_h, 0.0)]


def _blood_pressure(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    delta = (-34 if value == "low" else 38) * c.strength
    values[SYSTOLIC] += delta * _rise(times[SYSTOLIC], c.onset_h, 4)
    values[DIASTOLIC] += 0.55 * delta * _rise(times[DIASTOLIC], c.onset_h, 4)
    return [(SYSTOLIC, c.onset_h, 0.0), (DIASTOLIC, c.onset_h, 0.0)]


def _inactivity(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    if value == "gradual":
        values[STEPS] *= 1 - 0.9 * _rise(times[STEPS], c.onset_h - 12, 24)
        return [(STEPS, c.onset_h - 12, 0.0)]
    values[STEPS] *= 1 - 0.97 * _rise(times[STEPS], c.abrupt_h, 0.5)
    return [(STEPS, c.abrupt_h, 0.0)]


def _low_variability(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    values[HRV] *= 1 - 0.55 * c.strength**0.3 * _rise(times[HRV], c.onset_h, 4)
    return [(HRV, c.onset_h, 0.0)]


def _saturation_dips(value: str, times: dict[str, Array], values: dict[str, Array], c: _Course) -> _Windows:
    start = c.rng.uniform(-68, -60) if value == "earlier" else c.rng.uniform(-22, -14)
    t, windows = times[SPO2], []
    for _ in range(5):
        length = c.rng.uniform(0.8, 1.3)
        values[SPO2] -= 8 * c.strength**0.5 * ((t >= start) & (t <= start + length))
        windows.append((SPO2, float(start), float(min(start + length, 0.0))))
        start += length + c.rng.uniform(0.8, 1.6)
    return windows


_EVENTS: dict[str, _Event] = {
    "fever_curve": _fever_curve,
    "tachycardia": _tachycardia,
    "desaturation": _desaturation,
    "tachypnoea": _tachypnoea,
    "blood_pressure": _blood_pressure,
    "inactivity": _inactivity,
    "low_variability": _low_variability,
    "saturation_dips": _saturation_dips,
}
