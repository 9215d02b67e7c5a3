"""The same index in PostgreSQL with the pgvector extension, shared by all workers of a deployment.

Its table is derived from a bundle and filled again when it is missing, so it stands outside the service's migrations.
"""

from __future__ import annotations

import sqlalchemy as sa

from services.diagnosis.search.index import Entry, Hit, Vector

_SCHEMA = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "CREATE TABLE IF NOT EXISTS joint_vector (owner text NOT NULL, kind text NOT NULL, name text NOT NULL,"
    " label integer NOT NULL, vector vector NOT NULL, PRIMARY KEY (owner, kind, name))",
)
_INSERT = sa.text(
    "INSERT INTO joint_vector (owner, kind, name, label, vector)"
    " VALUES (:owner, :kind, :name, :label, CAST(:vector AS vector))"
)
_SEARCH = sa.text(
    "SELECT name, label, 1 - (vector <=> CAST(:vector AS vector)) AS similarity FROM joint_vector"
    " WHERE owner = :owner AND kind = :kind ORDER BY vector <=> CAST(:vector AS vector), name LIMIT :k"
)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtext(:owner))")


class PgvectorIndex:
    """A `VectorIndex` whose entries belong to one owner, such as the digest of the bundle they come from."""

    def __init__(self, engine: sa.Engine, owner: str) -> None:
        self._engine, self._owner = engine, owner
        with engine.begin() as connection:
            connection.execute(_LOCK, {"owner": "joint_vector"})  # two workers may start at once
            for statement in _SCHEMA:
                connection.execute(sa.text(statement))

    def replace(self, kind: str, entries: list[Entry]) -> None:
        rows = [
            {"owner": self._owner, "kind": kind, "name": e.name, "label": e.label, "vector": _literal(e.vector)}
            for e in entries
        ]
        with self._engine.begin() as connection:
            connection.execute(_LOCK, {"owner": self._owner})
            where = {"owner": self._owner, "kind": kind}
            connection.execute(sa.text("DELETE FROM joint_vector WHERE owner = :owner AND kind = :kind"), where)
            if rows:
                connection.execute(_INSERT, rows)

    def search(self, kind: str, vector: Vector, k: int) -> list[Hit]:
        asked = {"owner": self._owner, "kind": kind, "vector": _literal(vector), "k": k}
        with self._engine.connect() as connection:
            found = connection.execute(_SEARCH, asked).all()
        return [Hit(row.name, row.label, float(row.similarity)) for row in found]


def _literal(vector: Vector) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(repr(float(value)) for value in vector) + "]"
