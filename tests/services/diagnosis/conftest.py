"""Fixtures for the diagnosis service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.diagnosis_house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A running diagnosis service of this test's own, on SQLite."""
    with open_house(tmp_path) as opened:
        yield opened
