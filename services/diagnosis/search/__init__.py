"""Nearest vectors: one protocol, an exact index in memory, and pgvector for many cases in a database."""
