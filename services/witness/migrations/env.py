"""Alembic's entry point; `shared.database.migrate` gives the connection."""

from services.witness.store import Base
from shared.database import run_migrations

run_migrations(Base.metadata)
