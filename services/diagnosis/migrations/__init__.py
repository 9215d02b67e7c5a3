"""Migrations of the diagnosis service's database."""
