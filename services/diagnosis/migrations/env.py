"""Alembic's entry point; `shared.database.migrate` runs it."""

from __future__ import annotations

from services.diagnosis.rows import Base
from shared.database import run_migrations

run_migrations(Base.metadata)
