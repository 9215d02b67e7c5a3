"""One way to a database for every service: SQLite (WAL, `synchronous=FULL`) or PostgreSQL, by URL.

A service declares its rows on its own `declarative_base()`, keeps every query in its `store.py`, and has its
migrations run by `migrate` at start-up. One request or task is one transaction, committed at the edge.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Sessions = sessionmaker[Session]
SLEEPER_MS = 300_000


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, on SQLite too (which forgets zones). Naive times are refused rather than guessed."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def new_metadata() -> sa.MetaData:
    """Metadata with the house's constraint names; one per service."""
    return sa.MetaData(naming_convention=NAMING_CONVENTION)


def create_engine(url: str) -> sa.Engine:
    """An engine whose commits are durable: SQLite in WAL with `synchronous=FULL`, PostgreSQL with its defaults.

    Bound values are kept out of error messages: they may be patient data.
    """
    if url.startswith("sqlite"):
        path = sa.engine.make_url(url).database
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        connect_args = {"timeout": 30, "check_same_thread": False}
        engine = sa.create_engine(url, connect_args=connect_args, hide_parameters=True)
        sa.event.listen(engine, "connect", _configure_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    return sa.create_engine(
        _without_sleepers(url),
        pool_size=10,
        max_overflow=20,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"keepalives_idle": 30},
    )


def _without_sleepers(url: str) -> sa.URL:
    """Has PostgreSQL end transactions that their process sleeps in, as one that was stopped or whose host is gone
    does: the locks that they hold would keep others waiting for ever."""
    parsed = sa.engine.make_url(url)
    options = f"{parsed.query.get('options', '')} -cidle_in_transaction_session_timeout={SLEEPER_MS}"
    return parsed.update_query_dict({"options": options.strip()})


def _configure_sqlite(connection: Any, _: Any) -> None:
    # The driver must not open transactions by itself: `_begin_sqlite` does, with the right lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    # `secure_delete`: what is deleted is overwritten, not left in free pages.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # Deferred transactions that start with a read fail at once (SQLITE_BUSY) when they turn to writing while another
    # writer commits; a writer says so first with `writing()`.
    mode = "BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN"
    connection.exec_driver_sql(mode)


def session_factory(engine: sa.Engine) -> Sessions:
    """Sessions that never refetch after commit; take one per request or task.

    Every transaction on SQLite takes the write lock at its start (`BEGIN IMMEDIATE`): a request then waits its turn
    instead of failing half way. Read-only work uses `reading`.
    """
    bound = engine.execution_options(writing=True) if engine.dialect.name == "sqlite" else engine
    return sessionmaker(bound, expire_on_commit=False)


def insert_into(session: Session, row: type[DeclarativeBase]) -> Any:
    """An insert that knows `on_conflict_do_nothing` and `on_conflict_do_update`, which both databases spell alike.

    Give the values as parameters of its execution where it is hot: the statement is then compiled once.
    """
    # Of the table, not the class: the unit of work has nothing to do with it, and would take as long as the database.
    return insert_for(session.get_bind().dialect.name, cast(sa.Table, row.__table__))


def insert_for(dialect: str, table: sa.Table) -> Any:
    """The same for a database's name (`sqlite`, `postgresql`), to be built once and kept."""
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)


def erase_rows(session: Session, row: type[DeclarativeBase], *conditions: sa.ColumnElement[bool]) -> int:
    """Delete the rows for which all of this is true; gives how many that were."""
    return change_rows(session, sa.delete(row).where(*conditions))


def change_rows(session: Session, statement: sa.Update | sa.Delete) -> int:
    """Carry out a change past the unit of work, which goes on holding what it has loaded: gives the count of rows."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return int(result.rowcount)  # type: ignore[attr-defined]  # a result of DML


def forget_older_pages(engine: sa.Engine) -> None:
    """After a deletion: SQLite has overwritten what was deleted, but its write-ahead log holds the pages as they were.
    Empties it, unless a reader needs it for longer than a second. PostgreSQL's vacuum does that in its own time.
    """
    if engine.dialect.name != "sqlite":
        return
    # Not within a transaction: there is nothing to check-point then.
    connection = engine.raw_connection()
    try:
        for pragma in ("busy_timeout=1000", "wal_checkpoint(TRUNCATE)", "busy_timeout=30000"):
            connection.cursor().execute(f"PRAGMA {pragma}").fetchall()
    finally:
        connection.close()


@contextmanager
def reading(sessions: Sessions) -> Iterator[Session]:
    """A session that only reads: on SQLite it takes no write lock, so that readers never wait for writers."""
    bind = sessions.kw["bind"]
    engine = bind.execution_options(writing=False) if bind.dialect.name == "sqlite" else bind
    with Session(engine, expire_on_commit=False) as session:
        yield session


def migrate(url: str, service: str, package: str | None = None) -> None:
    """Bring the database of one service to its newest migration. Safe to call at every start, from several
    processes.

    Args:
        package: where the migrations are; those of the service unless it is given.
    """
    package = package or f"services.{service}.migrations"
    engine = create_engine(url)
    try:
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                # Two processes of one service may start together: the first one migrates, the other waits.
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"ddl-{service}"})
                connection.execute(sa.text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
                _upgrade(connection, package)
        else:
            with engine.execution_options(writing=True).begin() as connection:
                _upgrade(connection, package)
    finally:
        engine.dispose()


def _upgrade(connection: sa.Connection, package: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(importlib.import_module(package).__path__[0])))
    config.attributes["connection"] = connection
    head = ScriptDirectory.from_config(config).get_current_head()
    if MigrationContext.configure(connection).get_current_revision() != head:
        command.upgrade(config, "head")


def run_migrations(metadata: sa.MetaData) -> None:
    """The body of every service's `migrations/env.py`."""
    from alembic import context

    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, transaction_per_migration=False
    )
    context.run_migrations()


__all__ = [
    "DeclarativeBase",
    "Sessions",
    "UtcDateTime",
    "create_engine",
    "erase_rows",
    "forget_older_pages",
    "migrate",
    "new_metadata",
    "reading",
    "run_migrations",
    "session_factory",
]
