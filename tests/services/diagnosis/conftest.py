"""Fixtures for the diagnosis service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.diagnosis_house import House, open_house


@pytest.fixture(scope="session", autouse=True)
def _own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys that sign trained bundles are made here and not in the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A running diagnosis service of this test's own, on SQLite."""
    with open_house(tmp_path) as opened:
        yield opened
