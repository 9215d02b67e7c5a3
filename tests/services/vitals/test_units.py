"""Units: the tables of UCUM and hand calculations, and the laws that hold for all values."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vitals import ucum
from services.vitals.signs import SIGNS
from services.vitals.units import Conversion, conversion_for
from shared.errors import FieldProblem

CASES = [(sign, unit, a, b) for sign in SIGNS for unit, a, b in ((sign.unit, 1.0, 0.0), *sign.factors)]


@pytest.mark.parametrize(
    ("code", "unit", "value", "canonical"),
    [
        ("8310-5", "[degF]", 98.6, 37.0),
        ("8310-5", "[degF]", 32 + 7, 3.888888889),
        ("8310-5", "K", 310.15, 37.0),
        ("59408-5", "1", 0.97, 97.0),
        ("2708-6", "%", 97, 97.0),
        ("8867-4", "{beats}/min", 71, 71.0),
        ("8867-4", "/min{pulse}", 71, 71.0),
        ("8867-4", "Hz", 1.2, 72.0),
        ("8480-6", "kPa", 16, 120.009872),
        ("80404-7", "s", 0.045, 45.0),
        ("55423-8", "{step}", 12, 12.0),
        # Not in the table of shared.codes. UCUM 2.2: a day is 24 h, 1 bar is 100 kPa, 1 m[Hg] is 133.322 kPa,
        # 1 m[H2O] is 9.80665 kPa, a degree Reaumur 5/4 Cel.
        ("8867-4", "/h", 4260, 71.0),
        ("8867-4", "s-1", 1.2, 72.0),
        ("9279-1", "/(15.s)", 4, 16.0),
        ("8480-6", "bar", 0.16, 0.16e5 / 133.322),
        ("8480-6", "cm[Hg]", 12, 120.0),
        ("8480-6", "cm[H2O]", 160, 160 * 98.0665 / 133.322),
        ("8310-5", "[degRe]", 30, 37.5),
        ("3151-8", "mL/min", 2500, 2.5),
        ("8637-1", "us", 812_500, 812.5),
    ],
)
def test_value_is_converted_to_the_canonical_unit(code: str, unit: str, value: float, canonical: float) -> None:
    conversion = conversion_for(code, unit)
    assert isinstance(conversion, Conversion)
    assert conversion.apply(value) == pytest.approx(canonical, rel=3e-6)


@given(case=st.sampled_from(CASES), share=st.floats(0, 1))
def test_units_convert_back(case: tuple, share: float) -> None:  # type: ignore[type-arg]  # rows of the table above
    sign, unit, factor, offset = case
    canonical = sign.low + share * (sign.high - sign.low)
    conversion = conversion_for(sign.coding.code, unit)
    assert isinstance(conversion, Conversion)
    assert conversion.apply((canonical - offset) / factor) == pytest.approx(canonical, abs=1e-6)


@given(case=st.sampled_from(CASES), values=st.lists(st.floats(0, 500), min_size=2, max_size=5))
def test_conversion_keeps_order(case: tuple, values: list[float]) -> None:  # type: ignore[type-arg]  # as above
    sign, unit, _, _ = case
    conversion = conversion_for(sign.coding.code, unit)
    assert isinstance(conversion, Conversion)
    converted = [conversion.apply(value) for value in sorted(values)]
    assert converted == sorted(converted)


@given(code=st.text(max_size=12), unit=st.text(max_size=12))
def test_any_other_text_is_a_named_problem(code: str, unit: str) -> None:
    found = conversion_for(code, unit)
    assert isinstance(found, Conversion | FieldProblem)


def test_zero_has_one_sign() -> None:
    conversion = conversion_for("8867-4", "/min")
    assert isinstance(conversion, Conversion)
    assert str(conversion.apply(-0.0)) == "0.0"


def test_the_table_agrees_with_the_library() -> None:
    # Millimetres of mercury have three values: 133.322 Pa in UCUM's table, 133.3224 (NIST SP 811) in ours,
    # 133.322387 in the library's. All agree to 3 parts in a million.
    checked = 0
    for sign, unit, factor, offset in CASES:
        if sign.unit[0] == "{" or unit == "{#}":
            continue  # counts: nothing to convert
        found = ucum.affine(unit, sign.unit)
        assert found is not None, unit
        assert found == pytest.approx((factor, offset), rel=3e-7, abs=1e-9), unit
        checked += 1
    assert checked >= 20


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        ("8867-4", "Bq"),  # per second too, of decays
        ("8867-4", "deg/s"),
        ("59408-5", "[ppth]"),
        ("55423-8", "%"),
        ("8310-5", "[c]"),
        ("8480-6", "B[SPL]"),
        ("8867-4", "10*99999999/min"),
        ("8867-4", "((((((((((min))))))))))-1"),
    ],
)
def test_code_of_another_quantity_or_of_no_line_is_a_problem(code: str, unit: str) -> None:
    found = conversion_for(code, unit)
    assert isinstance(found, FieldProblem)
    assert found.field == "unit"


def test_service_starts_without_the_library() -> None:
    program = "import sys, services.vitals.app; sys.exit('pint' in sys.modules or 'ucumvert' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
