"""The page that explains the ward states the numbers the ward uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.diagnosis.ward import tables

PAGE = Path(__file__).parents[4] / "docs" / "explanation" / "the-ward.md"
ROWS = {
    "prior": tables.PRIOR,
    **{f"{name} {value}": row for name, values in tables.IMAGE.items() for value, row in values.items()},
    **tables.PRESENT,
    **{f"{name} {value}": row for name, values in tables.VITALS.items() for value, row in values.items()},
    **{pair[0]: pair[-1] for pair in tables.PAIRS},
    **{f"documented if {given}": row for given, row in tables.DOCUMENTATION.items()},
    **{f"history if {given}": row for given, row in tables.HISTORY_DOCUMENTATION.items()},
}


@pytest.mark.parametrize("name", ROWS)
def test_the_page_has_every_row_of_the_tables(name: str) -> None:
    assert " | ".join(f"{probability:.2f}" for probability in ROWS[name]) in PAGE.read_text(encoding="utf-8")
