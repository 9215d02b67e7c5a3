"""Alembic migrations of the audit service's tables."""
