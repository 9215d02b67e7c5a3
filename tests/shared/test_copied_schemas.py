"""What tests copy is what the migrations make, row for row."""

from __future__ import annotations

import importlib
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import services
from shared.database import migrate

MIGRATED = sorted(path.parent.name for path in Path(services.__path__[0]).glob("*/migrations"))


def _dump(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        # Alembic makes the indexes of a rebuilt table in any order.
        found = sorted(connection.iterdump())
    connection.close()
    return found


def _migrated(path: Path, service: str) -> None:
    config = Config()
    package = importlib.import_module(f"services.{service}.migrations")
    config.set_main_option("script_location", str(Path(package.__path__[0])))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


@pytest.mark.parametrize("service", MIGRATED)
def test_a_copied_schema_is_the_migrated_one(service: str, tmp_path: Path) -> None:
    _migrated(tmp_path / "migrated.db", service)
    for name in ("first", "copied"):
        migrate(f"sqlite:///{tmp_path / name}.db", service)
        assert _dump(tmp_path / f"{name}.db") == _dump(tmp_path / "migrated.db")
