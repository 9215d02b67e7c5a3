"""Alembic migrations of the vitals service's tables."""
