"""Migrations make the tables that the code works with."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from services.vitals.imports.store import ImportRow
from shared.database import create_engine


def _is_no_partition(_: object, name: str, kind: str, *__: object) -> bool:
    return not (kind == "table" and name.startswith("sample_"))


def test_migrations_and_rows_agree(any_database: str) -> None:
    engine = create_engine(any_database)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "include_object": _is_no_partition}
            )
            assert compare_metadata(context, ImportRow.metadata) == []
    finally:
        engine.dispose()
