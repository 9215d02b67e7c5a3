"""Wraps all data keys anew: where the key that encrypts keys is changed, or moves into a key management service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from shared.database import change_rows, forget_older_pages, reading, session_factory
from shared.errors import Unavailable
from shared.keys.store import DataKeyRow, open_keys
from shared.keys.wrapping import CannotUnwrap, KeyWrapper

PAGE = 200


class NeitherOpens(Exception):
    """A data key was wrapped under a third key: nothing is done to it, nor to those after it."""


@dataclass(frozen=True)
class Rewrapped:
    """What came of it."""

    anew: int
    already: int
    """Wrapped under the new key before: a run that was cut off is simply run again."""


def rewrap(url: str, old: KeyWrapper, new: KeyWrapper, on_key: Callable[[], None] = lambda: None) -> Rewrapped:
    """Wrap every data key of a database under another key. The data keys, and so all that they seal, stay as they are.

    No service may run meanwhile: it would not open what is wrapped anew, nor this what it adds.

    Args:
        on_key: called after each key.
    Raises: NeitherOpens. Unavailable: a key management service does not answer. What is done by then stays done.
    """
    engine = open_keys(url)
    try:
        anew, already, last = 0, 0, ""
        while page := _page(engine, last):
            found = []
            for place, wrapped in page:
                found.append((place, wrapped, _anew(old, new, place, wrapped)))
                on_key()
            with session_factory(engine).begin() as session:
                for place, before, after in found:
                    if after is None:
                        already += 1
                        continue
                    # A key that was destroyed meanwhile stays destroyed.
                    same = sa.and_(DataKeyRow.place == place, DataKeyRow.wrapped == before)
                    anew += change_rows(session, sa.update(DataKeyRow).where(same).values(wrapped=after))
            last = page[-1][0]
        # What the old key opens shall not lie there any longer.
        forget_older_pages(engine)
        return Rewrapped(anew, already)
    finally:
        engine.dispose()


def count(url: str) -> int:
    """How many data keys there are that were not destroyed."""
    engine = open_keys(url)
    try:
        with reading(session_factory(engine)) as session:
            query = sa.select(sa.func.count()).where(DataKeyRow.wrapped.is_not(None))
            return session.execute(query).scalar_one()
    finally:
        engine.dispose()


def _page(engine: sa.Engine, after: str) -> list[tuple[str, bytes]]:
    query = sa.select(DataKeyRow.place, DataKeyRow.wrapped).where(DataKeyRow.place > after)
    query = query.where(DataKeyRow.wrapped.is_not(None)).order_by(DataKeyRow.place).limit(PAGE)
    with reading(session_factory(engine)) as session:
        return [(place, wrapped) for place, wrapped in session.execute(query) if wrapped is not None]


def _anew(old: KeyWrapper, new: KeyWrapper, place: str, wrapped: bytes) -> bytes | None:
    """A data key under the new key; None where it is so already."""
    try:
        key = old.unwrap(wrapped, place)
    except (CannotUnwrap, Unavailable) as refused:
        # A service may call a ciphertext of another key of its own a denied access.
        try:
            new.unwrap(wrapped, place)
        except CannotUnwrap:
            if isinstance(refused, Unavailable):
                raise refused from None
            raise NeitherOpens("a data key is wrapped under neither the old key nor the new one") from None
        return None
    return new.wrap(key, place)
