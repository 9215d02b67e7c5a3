"""Alembic migrations of the witness's tables."""
