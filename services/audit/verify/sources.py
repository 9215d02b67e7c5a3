"""Where a log can be read from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .databases import DatabaseSource, open_postgres, open_sqlite
from .mirrors import Mirror

Source = DatabaseSource | Mirror


@contextmanager
def open_source(place: str) -> Iterator[Source]:
    """A SQLite file or URL, a PostgreSQL URL, the address of `/audit`, or a directory of tiles. Raises: CannotCheck."""
    if place.startswith("postgresql"):
        with open_postgres(place) as postgres:
            yield postgres
    elif place.startswith(("http://", "https://")) or Path(place).is_dir():
        yield Mirror(place)
    else:
        with open_sqlite(Path(place.removeprefix("sqlite:///"))) as sqlite:
            yield sqlite
