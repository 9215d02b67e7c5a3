"""Windows and tables by the formulas of PS3.3 C.11.2, and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.diagnosis.ward.scanners import VoiStyle
from services.diagnosis.ward.voi import Grayscale, lookup_table, to_displayed, to_stored, window

STYLES: tuple[VoiStyle, ...] = ("LINEAR", "LINEAR_EXACT", "SIGMOID", "LUT")


def scale(style: VoiStyle, *, monochrome1: bool = False, slope: float = 1.0, intercept: float = 0.0) -> Grayscale:
    low, high = sorted((500 * slope + intercept, 3300 * slope + intercept))
    return Grayscale(12, monochrome1, slope, intercept, style, round(low), round(high))


def test_a_linear_window_is_the_standards_formula() -> None:
    """C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5) within the window."""
    gray = scale("LINEAR")
    centre, width = window(gray)
    for stored in (501, 1234, 2000, 3299):
        expected = (stored - (centre - 0.5)) / (width - 1) + 0.5
        assert to_displayed(np.array([stored], np.uint16), gray)[0] == pytest.approx(expected, abs=1e-6)


def test_a_linear_exact_window_is_the_standards_formula() -> None:
    """C.11.2.1.3.2: (x - c) / w + 0.5 within the window."""
    gray = scale("LINEAR_EXACT", slope=0.25, intercept=-32.0)
    centre, width = window(gray)
    for stored in (501, 1234, 2000, 3299):
        expected = (stored * 0.25 - 32 - centre) / width + 0.5
        assert to_displayed(np.array([stored], np.uint16), gray)[0] == pytest.approx(expected, abs=1e-6)


def test_a_sigmoid_is_the_standards_formula() -> None:
    """C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w))."""
    gray = scale("SIGMOID", slope=-1.0, intercept=4095.0)
    centre, width = window(gray)
    for stored in (0, 501, 2000, 4095):
        expected = 1 / (1 + math.exp(-4 * (4095 - stored - centre) / width))
        assert to_displayed(np.array([stored], np.uint16), gray)[0] == pytest.approx(expected, abs=1e-6)


def test_values_beyond_a_table_take_its_first_and_last_entry() -> None:
    gray = scale("LUT")
    (entries, first, bits), data = lookup_table(gray)
    table = np.frombuffer(data, "<u2")
    assert (entries, first, bits) == (2801, 500, 12)
    assert (len(table), table[0], table[-1]) == (2801, 0, 4095)
    assert (np.diff(table.astype(int)) >= 0).all()
    shown = to_displayed(np.array([0, 500, 600, 3300, 4095], np.uint16), gray)
    np.testing.assert_allclose(shown, [0, 0, table[100] / 4095, 1, 1], atol=1e-6)


@pytest.mark.parametrize("monochrome1", [False, True])
@pytest.mark.parametrize(
    ("style", "slope", "intercept"),
    # Only DX scanners write tables, and their rescale is the identity.
    [(style, 1.0, 0.0) for style in STYLES] + [(s, *r) for s in STYLES[:3] for r in ((0.25, -32.0), (-1.0, 4095.0))],
)
def test_what_is_stored_is_shown(style: VoiStyle, monochrome1: bool, slope: float, intercept: float) -> None:
    gray = scale(style, monochrome1=monochrome1, slope=slope, intercept=intercept)
    brightness = np.linspace(0.02, 0.98, 500, dtype=np.float32)
    # 2800 levels; the sigmoid is at most twice as steep as a line.
    np.testing.assert_allclose(to_displayed(to_stored(brightness, gray), gray), brightness, atol=1.5e-3)


def test_a_window_keeps_what_is_a_little_brighter_than_white() -> None:
    gray = scale("LINEAR")
    assert to_stored(np.array([1.1], np.float32), gray)[0] == 500 + round(1.1 * 2800)
