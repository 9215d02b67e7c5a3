"""Alembic's entry point; `shared.database.migrate` gives the connection."""

from services.vitals.imports.store import ImportRow
from shared.database import run_migrations

run_migrations(ImportRow.metadata)
