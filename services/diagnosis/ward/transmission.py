"""What a wearable sends, and what the vitals service makes of it.

A device stamps its samples with its own clock, in its own codes and units. Some samples arrive late, some twice, a few
in a wrong unit. The service takes each sample by what it says of itself: units it converts, what no living person shows
it keeps out of the evidence, a fraction called a percentage it rejects, what it has it does not store again, and the
time is the time as sent (docs of `POST /vitals/samples`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.render_vitals import SPAN_H, Stream
from services.diagnosis.ward.wearables import SPO2, TEMPERATURE, Spelling, Wearable
from shared.codes import NEVER_ZERO, VITAL_SIGNS

MISTAKEN = {TEMPERATURE: "[degF]", SPO2: "1"}
"""Code -> the unit in which a number goes out that is called canonical, where a sample has a wrong unit."""
DECIMALS = 9
"""Digits that the vitals service keeps after a conversion."""
_SIGNS = {sign.coding.code: sign for sign in VITAL_SIGNS}
_CANONICAL = {code: sign.coding.code for sign in VITAL_SIGNS for code in (sign.coding.code, *sign.aliases)}


@dataclass(frozen=True)
class Transmission:
    """Samples in the order of their arrival; the i-th of each belong together."""

    seconds: NDArray[np.int64]
    """Time as the device says it, relative to the case."""
    codes: tuple[str, ...]
    """LOINC, as sent."""
    values: tuple[float, ...]
    """In the units as sent."""
    units: tuple[str, ...]
    """UCUM, as sent; not always the truth."""


def transmit(stream: Stream, rng: np.random.Generator, wearable: Wearable) -> Transmission:
    """What the device sends of its measurements until the case."""
    n = len(stream.codes)
    confused = rng.random() < wearable.confused
    mistaken, late, twice = (rng.random(n) < p for p in (wearable.wrong_unit, wearable.late, wearable.duplicate))
    mistaken &= confused
    delay_h = late * rng.exponential(wearable.late_h, n)
    # Half of what is sent twice goes out twice at once, the rest again with what is late.
    again_h = (rng.random(n) < 0.5) * rng.exponential(wearable.late_h, n)
    sent = np.concatenate([np.arange(n), np.flatnonzero(twice)])
    # All is there at the case: nobody could know what comes after it.
    arrival_h = np.minimum(np.concatenate([stream.times_h + delay_h, (stream.times_h + delay_h + again_h)[twice]]), 0)
    order = sent[np.argsort(arrival_h, kind="stable")]
    shown = stream.clock.shown_s(stream.times_h)
    measured = zip(stream.codes, stream.values.tolist(), mistaken.tolist(), strict=True)
    lines = [_as_sent(code, value, wrong, stream.device.spelling) for code, value, wrong in measured]
    codes, values, units = zip(*[lines[i] for i in order.tolist()], strict=True)
    return Transmission(shown[order], codes, values, units)


def received(transmission: Transmission) -> tuple[NDArray[np.float64], tuple[str, ...], NDArray[np.float64]]:
    """(times_h, codes, values) as the vitals service hands them out for the 72 hours before the case.

    Canonical codes and units, oldest first, each sample once; without what it rejects or takes for no evidence and what
    claims to be later than the case.
    """
    first_s = -round(SPAN_H * 3600)
    kept: set[tuple[int, str, float]] = set()
    for second, code, value, unit in zip(
        transmission.seconds.tolist(), transmission.codes, transmission.values, transmission.units, strict=True
    ):
        canonical = _CANONICAL[code]
        factor, offset = _conversion(canonical, unit)
        measured = value if factor == 1 and offset == 0 else round(factor * value + offset, DECIMALS)
        sign = _SIGNS[canonical]
        doubtful = (unit == "%" and 0 < measured <= 1) or (measured == 0 and canonical in NEVER_ZERO)
        if sign.low <= measured <= sign.high and not doubtful and first_s <= second <= 0:
            kept.add((second, canonical, measured + 0.0))
    if not kept:
        return np.empty(0), (), np.empty(0)
    seconds, codes, values = zip(*sorted(kept), strict=True)
    return np.array(seconds, np.int64) / 3600, codes, np.array(values, np.float64)


def _as_sent(code: str, value: float, mistaken: bool, spelling: Mapping[str, Spelling]) -> tuple[str, float, str]:
    """(code, value, unit) on the wire."""
    if mistaken and code in MISTAKEN:
        return code, _in_unit(code, value, MISTAKEN[code], 2), _SIGNS[code].unit
    if code in spelling:
        spelt = spelling[code]
        return spelt.code, _in_unit(code, value, spelt.unit, spelt.decimals), spelt.unit
    return code, value, _SIGNS[code].unit


def _in_unit(code: str, value: float, unit: str, decimals: int) -> float:
    factor, offset = _conversion(code, unit)
    return round((value - offset) / factor, decimals)


@cache
def _conversion(code: str, unit: str) -> tuple[float, float]:
    """(a, b) with canonical = a · value + b."""
    sign = _SIGNS[code]
    if unit == sign.unit:
        return 1.0, 0.0
    return next((factor, offset) for other, factor, offset in sign.factors if other == unit)
