"""Migrations of the database of data keys."""
