"""Alembic's entry point; `shared.database.migrate` gives the connection."""

from shared.database import run_migrations
from shared.keys.store import Base

run_migrations(Base.metadata)
