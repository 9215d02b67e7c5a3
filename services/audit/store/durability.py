"""Whether a commit of this database survives a power cut. The log does not start where it would not."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

SQLITE_FULL = 2
POSTGRES_NEEDS = {
    "fsync": {"on"},
    "synchronous_commit": {"on", "remote_write", "remote_apply"},
    "full_page_writes": {"on"},
}


def assert_durable(session: Session) -> None:
    """Check the settings that durable commits rest on.

    Raises: RuntimeError: naming the setting that would lose acknowledged entries.
    """
    if session.get_bind().dialect.name == "sqlite":
        _assert_sqlite(session)
        return
    for name, accepted in POSTGRES_NEEDS.items():
        value = session.execute(sa.text("SELECT current_setting(:name)"), {"name": name}).scalar_one()
        if value not in accepted:
            raise RuntimeError(f"PostgreSQL runs with {name}={value}: acknowledged audit entries could be lost")


def _assert_sqlite(session: Session) -> None:
    synchronous = session.execute(sa.text("PRAGMA synchronous")).scalar_one()
    journal = session.execute(sa.text("PRAGMA journal_mode")).scalar_one()
    if synchronous < SQLITE_FULL or journal not in {"wal", "delete", "truncate", "persist"}:
        raise RuntimeError(
            f"SQLite runs with synchronous={synchronous}, journal_mode={journal}: "
            "acknowledged audit entries could be lost"
        )
