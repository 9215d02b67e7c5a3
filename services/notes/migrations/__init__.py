"""Alembic migrations of the notes service's tables."""
