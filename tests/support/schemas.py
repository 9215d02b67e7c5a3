"""Empty SQLite databases whose tables are copied: the migrations run once for each service, not once for each test."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

Upgrade = Callable[[sa.Connection, str], None]


def copying(upgrade: Upgrade) -> Upgrade:
    """Do to an empty SQLite database what `upgrade` did to another one before; to any other what `upgrade` does."""
    statements: dict[str, list[str]] = {}

    def _copy(connection: sa.Connection, package: str) -> None:
        if connection.dialect.name != "sqlite" or sa.inspect(connection).get_table_names():
            upgrade(connection, package)
            return
        database = connection.connection.driver_connection
        assert database is not None
        if package not in statements:
            upgrade(connection, package)
            statements[package] = [one for one in database.iterdump() if one not in ("BEGIN TRANSACTION;", "COMMIT;")]
            return
        for statement in statements[package]:
            database.execute(statement)

    return _copy
