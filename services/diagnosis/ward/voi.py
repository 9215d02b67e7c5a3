"""From stored integers to what a viewer shows and back: modality LUT, VOI LUT, photometric interpretation.

Forward is PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT) and C.7.6.3.1.2 (MONOCHROME1). Backward, a scanner chooses the
integers that lead to the picture it means, so an encoding changes the file and not what a conformant viewer shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.scanners import VoiStyle

Curve = NDArray[np.float64]

LUT_BITS = 12
"""Of the output of a VOI LUT."""
SIGMOID_SPAN = 8.0
"""Width of a sigmoid's range of interest, `low` to `high`, in units of its slope 4 / width: 0.018 to 0.982 is shown."""
STEPS = 1 << 14
"""Resolution of the inverse curves."""


@dataclass(frozen=True)
class Grayscale:
    """How stored values of one image mean brightness."""

    bits_stored: int
    monochrome1: bool
    slope: float
    """Of the modality LUT; its outputs are modality values."""
    intercept: float
    style: VoiStyle
    low: int
    """Modality value shown as the least presentation value; black in MONOCHROME2."""
    high: int

    @property
    def top(self) -> int:
        """The greatest stored value."""
        return (1 << self.bits_stored) - 1


def to_stored(brightness: NDArray[np.float32], scale: Grayscale) -> NDArray[np.uint16]:
    """Integers that a viewer shows as `brightness` [0, 1]; a window keeps a little beyond it, as scanners do."""
    shown = 1 - brightness if scale.monochrome1 else brightness
    if scale.style in ("SIGMOID", "LUT"):
        index = np.clip(shown * np.float32(STEPS), 0, STEPS).astype(np.int32)
        shown = _inverse_curve(scale.style)[index]
    span, slope = (scale.high - scale.low) / scale.slope, scale.slope
    stored = np.rint(shown * np.float32(span) + np.float32((scale.low - scale.intercept) / slope))
    return np.asarray(np.clip(stored, 0, scale.top), dtype=np.uint16)


def to_displayed(stored: NDArray[np.uint16], scale: Grayscale) -> NDArray[np.float32]:
    """What a viewer shows of the stored values, in [0, 1], air dark."""
    values = np.arange(scale.top + 1, dtype=np.float64) * scale.slope + scale.intercept
    shown = _shown(values, scale)
    return np.asarray((1 - shown if scale.monochrome1 else shown).astype(np.float32)[stored])


def window(scale: Grayscale) -> tuple[float, float]:
    """Centre and width in modality values (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    low, high = scale.low, scale.high
    if scale.style == "LINEAR":
        return (low + high + 1) / 2, float(high - low + 1)
    # 1 / (1 + exp(-4 (x - centre) / width)): from low to high the exponent passes SIGMOID_SPAN.
    return (low + high) / 2, (high - low) * (4 / SIGMOID_SPAN if scale.style == "SIGMOID" else 1.0)


def lookup_table(scale: Grayscale) -> tuple[list[int], bytes]:
    """LUT Descriptor and LUT Data of a VOI LUT, 16-bit words, little endian (PS3.3 C.11.2.1.1)."""
    return [scale.high - scale.low + 1, scale.low, LUT_BITS], _lut(scale).astype("<u2").tobytes()


def _shown(values: Curve, scale: Grayscale) -> Curve:
    if scale.style == "LUT":
        table = _lut(scale) / ((1 << LUT_BITS) - 1)
        return np.asarray(table[np.clip(np.rint(values).astype(np.int64) - scale.low, 0, len(table) - 1)])
    centre, width = window(scale)
    if scale.style == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)))
    return np.asarray(np.clip((values - scale.low) / (scale.high - scale.low), 0, 1))


def _lut(scale: Grayscale) -> Curve:
    inputs = np.linspace(0, 1, scale.high - scale.low + 1)
    return np.rint(_film(inputs) * ((1 << LUT_BITS) - 1))


def _film(t: Curve) -> Curve:
    """Toe, straight part and shoulder, like a film's: 0 to 0, 1 to 1, steepest in the middle."""
    return np.asarray(0.6 * (1 - np.cos(np.pi * t)) / 2 + 0.4 * t)


@lru_cache(maxsize=2)
def _inverse_curve(style: VoiStyle) -> NDArray[np.float32]:
    """Brightness in `STEPS` steps -> share of the way from `low` to `high`."""
    brightness = np.linspace(0, 1, STEPS + 1)
    if style == "LUT":
        t = np.linspace(0, 1, STEPS + 1)
        return np.interp(brightness, _film(t), t).astype(np.float32)
    edge = 1 / (1 + np.exp(1.25 * SIGMOID_SPAN / 2))
    inner = np.clip(brightness, edge, 1 - edge)
    return (0.5 + np.log(inner / (1 - inner)) / SIGMOID_SPAN).astype(np.float32)
