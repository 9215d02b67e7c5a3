"""The page that explains the ward states the numbers the ward uses, and what its best model reaches."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.diagnosis.inference.shapley import interaction_indices, shapley_values
from services.diagnosis.ward import tables
from services.diagnosis.ward.achievable import best_achievable
from services.diagnosis.ward.conditions import BY_DIAGNOSIS, SHIFTS
from services.diagnosis.ward.dials import dial_ward
from services.diagnosis.ward.information import exact_values
from services.diagnosis.ward.model import MODALITIES

PAGE = (Path(__file__).parents[4] / "docs" / "explanation" / "the-ward.md").read_text(encoding="utf-8")
ROWS = {
    "p₀(y)": tables.PRIOR,
    "age slope α(y)": tables.AGE_SLOPE,
    "men against women μ(y)": tables.MALE_LOG_ODDS,
    **{f"{name} | {value}": row for name, values in tables.IMAGE.items() for value, row in values.items()},
    **tables.PRESENT,
    **{f"{name} | {value}": row for name, values in tables.VITALS.items() for value, row in values.items()},
    **{f"{first} ({a}) with {second} ({b})": row for first, a, _, second, b, _, row in tables.PAIRS},
    **BY_DIAGNOSIS,
}
DOCUMENTATION = [
    (given, row) for style in (tables.DOCUMENTATION, tables.HISTORY_DOCUMENTATION) for given, row in style.items()
]


def rows_that_begin(cells: str) -> list[list[str]]:
    """The cells after those, of every row that begins with them."""
    found = re.findall(rf"^\| {re.escape(cells)} \| (.*) \|$", PAGE, flags=re.MULTILINE)
    return [row.split(" | ") for row in found]


@pytest.mark.parametrize("name", ROWS)
def test_the_page_has_every_row_of_the_tables(name: str) -> None:
    assert [f"{number:.2f}" for number in ROWS[name]] in rows_that_begin(name)


@pytest.mark.parametrize(("given", "row"), DOCUMENTATION)
def test_the_page_says_how_findings_are_documented(given: str, row: tuple[float, ...]) -> None:
    assert [f"{number:.2f}" for number in row] in rows_that_begin(given)


def test_the_page_has_the_slopes_overlaps_and_weights() -> None:
    for name, slope in tables.HISTORY_AGE_SLOPE.items():
        assert [f"{slope:.1f}"] in rows_that_begin(name)
    for first, second, overlap in tables.OVERLAPS:
        a, b = (tables.WARD.finding(name).modality for name in (first, second))
        assert [[f"{second} ({b})", f"{overlap:.1f}"]] == rows_that_begin(f"{first} ({a})")
    for (finding, value), weight in tables.DETERIORATION_WEIGHTS.items():
        assert [f"{weight:.1f}"] in rows_that_begin(f"{finding} | {value}")
    assert [[f"{a:.1f}" for a in tables.DETERIORATION_INTERCEPT]] == rows_that_begin("intercept a(y)")
    for (finding, value), weight in tables.SEVERITY_WEIGHTS.items():
        assert [f"{weight:.1f}"] in rows_that_begin(f"{finding} | {value}")
    for level, row in tables.SEVERITY_INTERCEPTS.items():
        assert [[f"{a:.1f}" for a in row]] == rows_that_begin(f"beyond {level}")


def test_the_page_names_every_shift_with_what_it_changes() -> None:
    for name, conditions in SHIFTS.items():
        assert [[conditions.about]] == rows_that_begin(f"`{name}`")


def test_what_the_page_says_the_best_model_reaches_is_what_it_reaches() -> None:
    for key, reached in best_achievable(n=40_000, seed=99).items():
        (stated,) = [row for row in rows_that_begin(key) if "(" in row[0]]
        assert len(stated) == len(vars(reached))
        for cell, figure in zip(stated, vars(reached).values(), strict=True):
            value, error = (float(number) for number in re.findall(r"[\d.]+", cell))
            assert abs(value - figure.value) < 4.5 * (error**2 + figure.error**2) ** 0.5 + 0.0005, (key, cell)


@pytest.mark.parametrize("kind", ["unique", "redundant", "synergy"])
def test_the_page_has_the_values_of_the_pure_wards(kind: str) -> None:
    value = exact_values(dial_ward(kind))
    (stated,) = [row for row in rows_that_begin(kind) if len(row) == 9]
    subsets = [("image",), ("note",), ("vitals",), MODALITIES[:2], ("image", "vitals"), MODALITIES[1:], MODALITIES]
    exact = [value[frozenset(subset)] for subset in subsets]
    exact += [*shapley_values(value, MODALITIES).values(), *interaction_indices(value, MODALITIES).values()]
    numbers = [float(number) for cell in stated for number in cell.split(", ")]
    assert numbers == pytest.approx(exact, abs=0.0006)
