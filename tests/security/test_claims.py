"""What the pages on threats and rules claim is shown by tests that exist; where nothing is shown, they say so."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.common import PROJECT_ROOT

PAGES = ("explanation/threat-model.md", "reference/regulations.md", "decisions/0163-one-deployment-for-each-tenant.md")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
NOT_SHOWN = "not shown"


@cache
def _tests_in(file: Path) -> frozenset[str]:
    """The test functions of a module."""
    tree = ast.parse(file.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _claims(page: str) -> list[str]:
    """The last cell of each line of the tables that say what shows a claim."""
    claims, shown = [], False
    for line in (PROJECT_ROOT / "docs" / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            shown = False
        elif cells[-1] == "shown by":
            shown = True
        elif shown and not set(line) <= set("|- :"):
            claims.append(cells[-1])
    return claims


@pytest.mark.parametrize("page", PAGES[:2])
def test_every_line_names_a_test_or_says_that_there_is_none(page: str) -> None:
    claims = _claims(page)
    assert len(claims) > 30
    assert [claim for claim in claims if claim != NOT_SHOWN and not NAMED.search(claim)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_named_test_exists(page: str) -> None:
    named = NAMED.findall((PROJECT_ROOT / "docs" / page).read_text())
    assert named
    files = {file for file, _ in named}
    assert {file for file in files if not (PROJECT_ROOT / file).is_file()} == set()
    assert [f"{file}::{test}" for file, test in named if test and test not in _tests_in(PROJECT_ROOT / file)] == []
