"""The database of data keys: apart from all others, so that no backup of theirs holds a key that was destroyed."""

from __future__ import annotations

import os
import threading
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.clock import utc_now
from shared.database import (
    DeclarativeBase,
    UtcDateTime,
    change_rows,
    create_engine,
    forget_older_pages,
    insert_into,
    migrate,
    new_metadata,
    reading,
    session_factory,
)
from shared.keys.wrapping import KEY_BYTES, CannotUnwrap, KeyWrapper


class Base(DeclarativeBase):
    """The table of keys."""

    metadata = new_metadata()


class DataKeyRow(Base):
    """The key of one place. A destroyed one leaves its row, so that nobody makes another for the same place."""

    __tablename__ = "data_key"

    place: Mapped[str] = mapped_column(sa.String(160), primary_key=True)
    """Whose blobs, and which scope of theirs; patients by pseudonym."""
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    destroyed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


# Asked for every blob: built once, and of columns, because the unit of work takes longer than the database.
_KEYS = DataKeyRow.__table__.c
_WRAPPED = sa.select(_KEYS.wrapped).where(_KEYS.place == sa.bindparam("place"))


def open_keys(url: str) -> sa.Engine:
    """The database of data keys, brought to its newest migration."""
    migrate(url, "keys", "shared.keys.migrations")
    return create_engine(url)


def place_of(owner: str, scope: str) -> str:
    """How the key of one scope is named."""
    return f"{owner}/{scope}"


class KeyDestroyed(Exception):
    """What was encrypted under this key is gone for good."""


class KeyStore:
    """Makes, finds and destroys data keys. Thread-safe. The database is opened when it is first needed.

    No key is kept in memory: what another process destroys is destroyed for this one too.
    """

    def __init__(self, url: str, wrapper: KeyWrapper) -> None:
        """Raises: ValueError: no database is named. There is no default: whoever loses it loses all that is sealed."""
        if not url:
            raise ValueError("set CONSILIUM_KEYS_DATABASE_URL to a database for data keys, apart from all others")
        self._url, self._wrapper = url, wrapper
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None

    def key_of(self, place: str) -> bytes | None:
        """The key of a place; None: it never had one. Raises: KeyDestroyed."""
        with reading(session_factory(self._opened())) as session:
            row = session.execute(_WRAPPED, {"place": place}).one_or_none()
        if row is None:
            return None
        if row.wrapped is None:
            raise KeyDestroyed(place)
        return self._wrapper.unwrap(row.wrapped, place)

    def key_for(self, place: str) -> bytes:
        """The key of a place, made where it had none. Raises: KeyDestroyed."""
        key = self.key_of(place)
        if key is not None:
            return key
        made = os.urandom(KEY_BYTES)
        with session_factory(self._opened()).begin() as session:
            is_first = _insert_once(session, place, self._wrapper.wrap(made, place), None)
        # Of two processes that make one at once the first one's counts.
        key = made if is_first else self.key_of(place)
        if key is None:
            raise RuntimeError("a key that was made is not there")
        return key

    def opens(self) -> bool:
        """Whether a key that is stored here can be unwrapped; True where there is none yet.

        Raises: Unavailable: a key management service does not answer.
        """
        stored = sa.select(DataKeyRow.place, DataKeyRow.wrapped).where(DataKeyRow.wrapped.is_not(None)).limit(1)
        with reading(session_factory(self._opened())) as session:
            row = session.execute(stored).one_or_none()
        try:
            return row is None or bool(self._wrapper.unwrap(row.wrapped, row.place))
        except CannotUnwrap:
            return False

    def destroy(self, place: str) -> bool:
        """Destroy the key of a place for ever; False where it had none, or none any more."""
        engine = self._opened()
        with session_factory(engine).begin() as session:
            now = utc_now()
            _insert_once(session, place, None, now)
            standing = sa.update(DataKeyRow).where(DataKeyRow.place == place, DataKeyRow.wrapped.is_not(None))
            gone = change_rows(session, standing.values(wrapped=None, destroyed_at=now))
        forget_older_pages(engine)
        return bool(gone)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _opened(self) -> sa.Engine:
        with self._lock:
            if self._engine is None:
                self._engine = open_keys(self._url)
            return self._engine


def _insert_once(session: Session, place: str, wrapped: bytes | None, destroyed_at: datetime | None) -> bool:
    """False where the place has a row already."""
    row = {"place": place, "wrapped": wrapped, "created_at": utc_now(), "destroyed_at": destroyed_at}
    unless_there = insert_into(session, DataKeyRow).on_conflict_do_nothing(index_elements=["place"])
    return session.scalar(unless_there.returning(DataKeyRow.place), row) is not None
