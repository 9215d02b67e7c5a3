"""72 hours of a wearable: what it measures, in true time and canonical units, and the window of each event in it.

What it then sends, by its own clock and in its own units, is `transmission.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.model import Findings
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.vital_events import EVENTS, draw_course
from services.diagnosis.ward.wearables import (
    CHANNELS,
    CODES,
    DIASTOLIC,
    HR,
    HRV,
    LOSABLE,
    RR,
    SPO2,
    STANDARD_WEARABLE,
    STEPS,
    SYSTOLIC,
    TEMPERATURE,
    Channel,
    Clock,
    Device,
    Wearable,
)

Array = NDArray[np.float64]
SPAN_H = 72.0
DAYTIME = {HR: 5.0, SPO2: 0.4, RR: 0.7, TEMPERATURE: 0.25, SYSTOLIC: 4.0, DIASTOLIC: 2.5, HRV: -3.5}
"""What 16:00 adds to the mean of the day, and 04:00 takes from it."""
ASLEEP = {HR: -4.0, SPO2: -0.3, RR: -0.8, TEMPERATURE: 0.0, SYSTOLIC: -4.0, DIASTOLIC: -2.5, HRV: 5.0}
"""What sleep adds besides."""
WANDER = {HR: 2.5, SPO2: 0.3, RR: 0.7, TEMPERATURE: 0.07, SYSTOLIC: 3.0, DIASTOLIC: 2.0, HRV: 3.0}
"""Standard deviation of slow changes without a cause."""
FREEZABLE = (HR, SPO2, RR, TEMPERATURE, HRV)
"""Signs that a stuck sensor repeats."""


@dataclass(frozen=True)
class Stream:
    """Measurements, oldest first; the i-th of each array belong together."""

    times_h: Array
    """True hours relative to the case (<= 0), whole seconds."""
    codes: tuple[str, ...]
    values: Array
    """In the canonical unit, artefacts included."""
    windows: tuple[tuple[str, float, float, str], ...]
    """(LOINC code, from, to, finding), in true hours."""
    clock: Clock
    """What the device's clock makes of true time."""
    device: Device


@dataclass(frozen=True)
class _Sensor:
    """One device on one patient."""

    device: Device
    bias: float
    """Percentage points that the skin adds to saturation."""
    saturation_noise: float
    gaps: list[tuple[float, float]]
    density: float


def render_vitals(
    findings: Findings,
    rng: np.random.Generator,
    *,
    hour_of_day: float,
    person: Person = ANYONE,
    wearable: Wearable = STANDARD_WEARABLE,
) -> Stream:
    """Draw the streams of one patient.

    All chance is drawn whatever the findings are, so that they change the values inside their windows and nothing else.

    Args:
        hour_of_day: local time at the case, for the circadian rhythm.
    """
    course, baseline = draw_course(rng), _baseline(rng, person.age_years)
    sensor = _sensor(rng, person, wearable)
    clock = sensor.device.clocks.draw(rng)
    times = _sample_times(rng, sensor)
    resting = {code: _resting(code, times[code], baseline, hour_of_day, rng) for code in CODES}
    values = {code: resting[code].copy() for code in CODES}
    windows: list[tuple[str, float, float, str]] = []
    for name, event in EVENTS.items():
        if findings[name] != "absent":
            windows += [(code, start, end, name) for code, start, end in event(findings[name], times, values, course)]
    measured = {code: _measure(code, times[code], values[code], resting[code], sensor, rng) for code in CODES}
    return _merge(times, measured, tuple(windows), clock, sensor.device)


def _baseline(rng: np.random.Generator, age: int) -> dict[str, float]:
    systolic = rng.normal(122 + 0.12 * (age - 60), 7)
    return {
        HR: rng.normal(72, 6), SPO2: rng.normal(96.8, 0.6), RR: rng.normal(15, 1.2), TEMPERATURE: rng.normal(36.7,
        0.15),
        SYSTOLIC: systolic, DIASTOLIC: systolic * rng.normal(0.62, 0.03), STEPS: rng.uniform(250, 500),
        HRV: rng.normal(46, 5),
    }  # fmt: skip


def _sensor(rng: np.random.Generator, person: Person, wearable: Wearable) -> _Sensor:
    device = wearable.draw(rng, person.site)
    bias, noise = wearable.oximetry.draw(rng, person.skin_type)
    starts = rng.uniform(-SPAN_H, -1, rng.integers(device.gaps[0], device.gaps[1] + 1))
    lengths = rng.uniform(*device.gap_h, len(starts))
    gaps = [(float(start), float(start + length)) for start, length in zip(starts, lengths, strict=True)]
    return _Sensor(device, bias, noise, gaps, float(rng.uniform(*device.density)))


def _sample_times(rng: np.random.Generator, sensor: _Sensor) -> dict[str, Array]:
    times = {}
    for code, channel in CHANNELS.items():
        factor = sensor.device.intervals.get(code, 1.0) * rng.uniform(0.8, 1.25)
        interval = channel.interval_h / sensor.density * factor
        steps = rng.gamma(4.0, interval / 4.0, int(SPAN_H / interval * 1.6) + 8)
        at = -SPAN_H + np.cumsum(steps)
        at = at[at < 0]
        for start, end in sensor.gaps:
            at = at[(at < start) | (at > end)]
        times[code] = np.unique(np.round(at * 3600)) / 3600
    times[DIASTOLIC] = times[SYSTOLIC]
    return times


def _resting(code: str, t: Array, baseline: dict[str, float], hour_of_day: float, rng: np.random.Generator) -> Array:
    """Baseline, day and night, and slow wander."""
    hour = 2 * np.pi * (hour_of_day + t) / 24
    daylight = np.cos(hour - 2 * np.pi * 16 / 24)  # +1 at 16:00, -1 at 04:00
    asleep = np.clip((np.cos(hour - 2 * np.pi * 2.5 / 24) - 0.35) / 0.2, 0, 1)  # wholly from 22:45 to 06:15
    wander = np.interp(t, np.linspace(-SPAN_H, 0, 19), rng.standard_normal(19))
    if code == STEPS:
        awake = (1 - 0.98 * asleep) * (0.5 + 0.5 * np.clip(daylight, 0, None))
        return np.asarray(baseline[code] * awake * rng.gamma(1.5, 1 / 1.5, len(t)))
    return np.asarray(baseline[code] + DAYTIME[code] * daylight + ASLEEP[code] * asleep + WANDER[code] * wander)


def _measure(code: str, t: Array, values: Array, resting: Array, sensor: _Sensor, rng: np.random.Generator) -> Array:
    device, channel = sensor.device, CHANNELS[code]
    noise = device.noise * (sensor.saturation_noise if code == SPO2 else 1.0) * channel.noise
    error = rng.normal(0, 1, len(t)) * noise + (sensor.bias if code == SPO2 else 0.0)
    error += (rng.random(len(t)) < device.motion) * rng.normal(0, 1, len(t)) * channel.artefact
    lost = rng.random(len(t)) < device.lost
    measured = _shown(values + error, channel)
    freezes, start, length = rng.random() < device.frozen, rng.uniform(-SPAN_H, 0), rng.uniform(*device.frozen_h)
    stuck = np.flatnonzero((t >= start) & (t <= start + length))
    if freezes and code in FREEZABLE and len(stuck):
        # At what the resting patient shows: an illness that froze would be told outside its window.
        measured[stuck] = _shown(resting[stuck[:1]] + error[stuck[:1]], channel)
    if code in LOSABLE:
        measured[lost] = 0.0
    return measured


def _shown(values: Array, channel: Channel) -> Array:
    """Within the sensor's range and at its resolution."""
    clipped = np.clip(values, channel.low, channel.high)
    return np.asarray(np.round(np.round(clipped / channel.resolution) * channel.resolution, 1))


def _merge(
    times: dict[str, Array],
    values: dict[str, Array],
    windows: tuple[tuple[str, float, float, str], ...],
    clock: Clock,
    device: Device,
) -> Stream:
    at = np.concatenate([times[code] for code in CODES])
    order = np.argsort(at, kind="stable")
    names = np.repeat(np.arange(len(CODES)), [len(times[code]) for code in CODES])[order]
    merged = np.concatenate([values[code] for code in CODES])[order]
    return Stream(at[order], tuple(CODES[i] for i in names), merged, windows, clock, device)
