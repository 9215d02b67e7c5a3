"""Alembic migrations of the ehr service."""
