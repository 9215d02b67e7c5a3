"""Encrypted scopes of a blob store: read by their address, unreadable once their key is destroyed, wherever copied."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.blobs import FileBlobs
from shared.digests import digest_bytes
from shared.errors import NotFound, Unavailable
from shared.keys.blobs import BlobDamaged, SealedBlobs
from shared.keys.store import KeyStore
from shared.keys.wrapping import FileKeyWrapper
from tests.support.files import files_below

CONTENT = b"a radiograph of somebody"
DIGEST = digest_bytes(CONTENT)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyStore]:
    """Data keys in a database of their own, of each kind."""
    url = f"sqlite:///{tmp_path}/keys/keys.db"
    if request.param == "postgres":
        parsed = sa.engine.make_url(request.getfixturevalue("postgres_url"))
        url = parsed.update_query_dict({"options": "-csearch_path=keys"}).render_as_string(hide_password=False)
    store = KeyStore(url, FileKeyWrapper(bytes(32)))
    yield store
    store.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(root: Path, keys: KeyStore) -> SealedBlobs:
    return SealedBlobs(FileBlobs(root), keys)


def files(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in files_below(root) if path.suffix != ".closed"]


def test_a_blob_is_found_by_the_digest_of_what_was_put_and_stored_encrypted(blobs: SealedBlobs, root: Path) -> None:
    mine = blobs.of("pat-1", "first")
    assert mine.put(CONTENT) == DIGEST == mine.put(CONTENT)
    assert mine.get(DIGEST) == CONTENT
    assert len(files(root)) == 1
    assert CONTENT not in files(root)[0]


def test_the_same_bytes_of_two_owners_are_two_blobs(blobs: SealedBlobs, root: Path) -> None:
    for owner in ("pat-1", "pat-2"):
        blobs.of(owner, "first").put(CONTENT)
    assert len(set(files(root))) == 2
    blobs.erase("pat-1", "first")
    assert blobs.of("pat-2", "first").get(DIGEST) == CONTENT


def test_what_was_stored_before_there_were_keys_is_still_read(blobs: SealedBlobs, root: Path) -> None:
    FileBlobs(root).put(CONTENT)
    assert blobs.get(DIGEST) == CONTENT
    assert blobs.of("pat-1", "first").get(DIGEST) == CONTENT


def test_a_copy_of_the_blobs_is_unreadable_once_the_key_is_destroyed(
    blobs: SealedBlobs, root: Path, keys: KeyStore, tmp_path: Path
) -> None:
    blobs.of("pat-1", "first").put(CONTENT)
    shutil.copytree(root, tmp_path / "copy")
    copy = SealedBlobs(FileBlobs(tmp_path / "copy"), keys).of("pat-1", "first")
    assert copy.get(DIGEST) == CONTENT
    assert blobs.erase("pat-1", "first") == 1
    with pytest.raises(NotFound):
        copy.get(DIGEST)


def test_no_byte_of_a_destroyed_key_is_left_in_its_database(blobs: SealedBlobs, tmp_path: Path) -> None:
    blobs.of("pat-1", "first").put(CONTENT)
    database = tmp_path / "keys" / "keys.db"
    if not database.exists():
        pytest.skip("PostgreSQL's vacuum does that in its own time")
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        wrapped: bytes = connection.execute(sa.text("SELECT wrapped FROM data_key")).scalar_one()
    engine.dispose()
    blobs.erase("pat-1", "first")
    assert not any(wrapped in path.read_bytes() for path in database.parent.iterdir())


def test_an_erased_scope_takes_nothing_more_and_its_successor_does(blobs: SealedBlobs) -> None:
    before = blobs.of("pat-1", "first")
    before.put(CONTENT)
    blobs.erase("pat-1", "first")
    with pytest.raises(Unavailable):
        before.put(CONTENT)
    assert blobs.of("pat-1", "second").put(CONTENT) == DIGEST
    assert blobs.scopes("pat-1") == ["second"]
    assert blobs.erase("pat-1", "first") == 0


def test_a_scope_that_was_never_used_can_be_closed_too(blobs: SealedBlobs) -> None:
    blobs.erase("pat-1", "first")
    with pytest.raises(Unavailable):
        blobs.of("pat-1", "first").put(CONTENT)


def test_bytes_that_were_moved_or_changed_are_not_given_out(blobs: SealedBlobs, root: Path) -> None:
    mine = blobs.of("pat-1", "first")
    other = mine.put(b"another")
    mine.put(CONTENT)
    names = {digest: next(root.rglob(digest.removeprefix("sha256:"))) for digest in (other, DIGEST)}
    names[DIGEST].write_bytes(names[other].read_bytes())
    with pytest.raises(BlobDamaged):
        mine.get(DIGEST)


def test_two_who_need_a_new_key_at_once_get_the_same(keys: KeyStore) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(keys.key_for("pat-1/first"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "a" * 65])
def test_no_path_can_be_smuggled_in_as_an_owner(blobs: SealedBlobs, name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        blobs.of(name, "first")


def test_whoever_stores_while_a_scope_is_erased_is_told_or_erased(blobs: SealedBlobs, root: Path) -> None:
    """Many times, in whatever order: nothing stays of what was stored into a closed scope."""
    for number in range(30):
        scope, refused = f"s{number}", list[bool]()

        def _store(scope: str = scope, refused: list[bool] = refused) -> None:
            for n in range(20):
                try:
                    blobs.of("pat-1", scope).put(b"%d" % n)
                except Unavailable:
                    refused.append(True)

        thread = threading.Thread(target=_store)
        thread.start()
        while not (root / "of" / "pat-1" / scope).exists() and thread.is_alive():
            pass
        blobs.erase("pat-1", scope)
        thread.join()
        assert blobs.scopes("pat-1") == []
