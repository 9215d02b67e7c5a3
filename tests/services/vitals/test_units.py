"""Units: the tables of UCUM and hand calculations, and the laws that hold for all values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vitals.units import Conversion, conversion_for
from shared.codes import VITAL_SIGNS
from shared.errors import FieldProblem

CASES = [(sign, unit, a, b) for sign in VITAL_SIGNS for unit, a, b in ((sign.unit, 1.0, 0.0), *sign.factors)]


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
    ],
)
def test_value_is_converted_to_the_canonical_unit(code: str, unit: str, value: float, canonical: float) -> None:
    conversion = conversion_for(code, unit)
    assert isinstance(conversion, Conversion)
    assert conversion.apply(value) == pytest.approx(canonical, abs=1e-6)


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
