"""Logs to check and to tamper with, on each database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.services.audit.verify.houses import Left, copy_postgres, copy_sqlite, fill


@pytest.fixture(scope="module")
def sqlite_log(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """A used log in a SQLite file; not to be edited."""
    return fill(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def postgres_log(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """A used log in a PostgreSQL database of its own; not to be edited."""
    name = f"log_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    url = sa.engine.make_url(postgres_server).set(database=name).update_query_dict({"options": "-csearch_path=audit"})
    yield fill(tmp_path_factory.mktemp("log"), url.render_as_string(hide_password=False))
    with admin.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Left]:
    """A used log on each database, this test's own to edit."""
    if request.param == "sqlite":
        yield copy_sqlite(request.getfixturevalue("sqlite_log"), tmp_path)
    else:
        with copy_postgres(request.getfixturevalue("postgres_log")) as copied:
            yield copied
