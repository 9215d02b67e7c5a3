"""Data keys under another key: all of them, none lost, none brought back, however often it is cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.errors import Unavailable
from shared.keys.rewrapping import PAGE, NeitherOpens, Rewrapped, count, rewrap
from shared.keys.store import KeyDestroyed, KeyStore
from shared.keys.wrapping import CannotUnwrap, FileKeyWrapper, KeyWrapper

OLD, NEW, THIRD = (FileKeyWrapper(os.urandom(32)) for _ in range(3))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        request.getfixturevalue("postgres_url") if request.param == "postgresql" else f"sqlite:///{tmp_path / 'k.db'}"
    )


def _fill(url: str, places: list[str], wrapper: KeyWrapper = OLD) -> dict[str, bytes]:
    store = KeyStore(url, wrapper)
    keys = {place: store.key_for(place) for place in places}
    store.close()
    return keys


def _read(url: str, places: list[str], wrapper: KeyWrapper) -> dict[str, bytes | None]:
    store = KeyStore(url, wrapper)
    try:
        return {place: store.key_of(place) for place in places}
    finally:
        store.close()


def test_all_keys_open_with_the_new_key_alone_and_are_the_same(url: str) -> None:
    places = [f"notes-pat-{n:04d}/first" for n in range(PAGE + 3)]
    keys = _fill(url, places)
    seen: list[None] = []
    assert rewrap(url, OLD, NEW, lambda: seen.append(None)) == Rewrapped(len(places), 0)
    assert len(seen) == count(url) == len(places)
    assert _read(url, places, NEW) == keys
    with pytest.raises(CannotUnwrap):
        _read(url, places[:1], OLD)


def test_a_destroyed_key_stays_destroyed(url: str) -> None:
    _fill(url, ["a/first", "b/first"])
    store = KeyStore(url, OLD)
    store.destroy("a/first")
    store.close()
    assert rewrap(url, OLD, NEW) == Rewrapped(1, 0)
    with pytest.raises(KeyDestroyed):
        _read(url, ["a/first"], NEW)


def test_a_key_that_is_destroyed_in_the_midst_of_it_stays_destroyed(url: str) -> None:
    _fill(url, ["a/first", "b/first"])
    store = KeyStore(url, OLD)

    def _destroy() -> None:
        store.destroy("a/first")

    assert rewrap(url, OLD, NEW, _destroy) == Rewrapped(1, 0)
    store.close()
    with pytest.raises(KeyDestroyed):
        _read(url, ["a/first"], NEW)


def test_cut_off_and_run_again_it_does_the_rest(url: str) -> None:
    places = [f"p-{n:04d}/first" for n in range(2 * PAGE)]
    keys = _fill(url, places)
    left = iter(range(PAGE + 7))

    def _cut_off() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rewrap(url, OLD, NEW, _cut_off)
    assert rewrap(url, OLD, NEW) == Rewrapped(PAGE, PAGE)
    assert _read(url, places, NEW) == keys


def test_a_key_that_neither_opens_is_left_as_it_is(url: str) -> None:
    _fill(url, ["a/first"], THIRD)
    with pytest.raises(NeitherOpens):
        rewrap(url, OLD, NEW)
    assert _read(url, ["a/first"], THIRD)["a/first"] is not None


def test_where_the_old_key_s_service_is_away_nothing_is_taken_to_be_done(url: str) -> None:
    class Away:
        def wrap(self, key: bytes, place: str) -> bytes:
            raise Unavailable("away")

        unwrap = wrap

    _fill(url, ["a/first"])
    with pytest.raises(Unavailable):
        rewrap(url, Away(), NEW)


def test_the_file_holds_nothing_that_the_old_key_opens(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'k.db'}"
    _fill(url, ["a/first"])
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        wrapped = connection.execute(sa.text("SELECT wrapped FROM data_key")).scalar_one()
    engine.dispose()
    rewrap(url, OLD, NEW)
    assert not [path for path in tmp_path.iterdir() if wrapped in path.read_bytes()]
