"""Any UCUM code by a library that knows the standard's grammar and table: `ucumvert` on pint (ADR 0104).

It takes most of a second to load, so it is loaded for the first unit that is not in the table of `shared.codes`, and
asked once for each.
"""

from __future__ import annotations

import re
import threading
from functools import cache
from typing import Any

_LONG_NUMBER = re.compile(r"\d{5}")
"""`10*99999999` would be computed."""
_PROBE = 1000.0
_lock = threading.Lock()


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


def affine(unit: str, canonical: str) -> tuple[float, float] | None:
    """(a, b) with `value in canonical = a · value in unit + b`; None where there is none.

    Root units must agree, not only dimensions: `Bq` and `deg/s` are per second too, and no heart rates.
    """
    if _LONG_NUMBER.search(unit):
        return None
    with _lock:
        try:
            registry = _registry()
            source, target = registry.from_ucum(unit), registry.from_ucum(canonical)
            if registry.get_root_units(source.units)[1] != registry.get_root_units(target.units)[1]:
                return None
            # A number within the code (`/(15.s)`) is in the magnitude, and would be lost with the unit alone.
            zero, probe, twice = (
                registry.Quantity(value * source.magnitude, source.units).to(target.units).magnitude / target.magnitude
                for value in (0.0, _PROBE, 2 * _PROBE)
            )
        except Exception:
            # Texts that are no UCUM make parser, tokenizer and registry raise anything.
            return None
    factor = (probe - zero) / _PROBE
    # A logarithmic unit is no straight line.
    return (factor, zero) if factor and abs(twice - 2 * probe + zero) <= 1e-9 * abs(twice) else None


def is_ucum(unit: str) -> bool:
    """Whether a text is a UCUM code of anything."""
    return affine(unit, unit) is not None
