"""The sequencer under load, against a second one by mistake, and on a store that somebody has edited."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from services.audit.domain.entries import NewEntry, Placed, new_entry
from services.audit.errors import LogBusy, LogDamaged, LogUnavailable
from services.audit.sequencer import Sequencer
from services.audit.store import entries as entry_store
from services.audit.store import log as log_store
from services.audit.store.durability import assert_durable
from shared.contracts.audit import Actor, AuditEvent
from shared.database import Sessions, create_engine, migrate, reading, session_factory
from shared.errors import Conflict
from shared.ids import uuid7
from shared.tlog.checkpoint import open_checkpoint
from shared.tlog.note import NoteSigner
from shared.tlog.tiles import inclusion_proof
from shared.tlog.tree import verify_consistency, verify_inclusion
from tests.services.audit.support import lift_guards
from tests.shared.tlog import naive

SIGNER = NoteSigner("test/log", Ed25519PrivateKey.from_private_bytes(b"\x01" * 32))


def _entry(subtype: str = "note-read") -> NewEntry:
    actor = Actor(issuer="t", subject="t", role="service")
    event = AuditEvent(
        event_id=uuid7(), tenant="default", producer="t", type="read", subtype=subtype, action="R",
        outcome="success", occurred_at=datetime.now(UTC), actor=actor,
    )  # fmt: skip
    return new_entry(event, "default")


def _with_schema(url: str) -> str:
    parsed = sa.engine.make_url(url)
    return parsed.update_query_dict({"options": "-csearch_path=audit"}).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sessions]:
    """An empty, migrated store on each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/audit.db"
    else:
        url = _with_schema(request.getfixturevalue("postgres_url"))
    migrate(url, "audit")
    engine = create_engine(url)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def sequencer(sessions: Sessions) -> Iterator[Sequencer]:
    """A running sequencer."""
    running = Sequencer(sessions, SIGNER)
    running.start()
    yield running
    running.stop()


def _all_leaves(sessions: Sessions) -> list[bytes]:
    with reading(sessions) as session:
        return entry_store.range_of_entries(session, 0, 10**9)


def _assert_sound(sessions: Sessions) -> None:
    """The signed tree is the RFC's tree of the stored entries, and every checkpoint before it is a prefix of it."""
    leaves = _all_leaves(sessions)
    with reading(sessions) as session:
        notes = session.execute(sa.text("SELECT note FROM checkpoint ORDER BY size")).scalars().all()
    checkpoints = [open_checkpoint(note, "test/log", [SIGNER.verifier_key]) for note in notes]
    assert checkpoints[-1].size == len(leaves)
    for checkpoint in checkpoints:
        assert checkpoint.root == naive.mth(leaves[: checkpoint.size])


def _append_many(sequencers: list[Sequencer], threads: int, each: int) -> list[Placed]:
    def _one(number: int) -> list[Placed]:
        target = sequencers[number % len(sequencers)]
        return [place for _ in range(each) for place in target.append([_entry(), _entry()])[0]]

    with ThreadPoolExecutor(threads) as pool:
        return [place for places in pool.map(_one, range(threads)) for place in places]


def test_sixteen_writers_get_contiguous_indices(sessions: Sessions, sequencer: Sequencer) -> None:
    places = _append_many([sequencer], 16, 10)
    assert sorted(place.index for place in places) == list(range(320))
    _assert_sound(sessions)


def test_every_receipt_of_concurrent_writers_verifies(sessions: Sessions, sequencer: Sequencer) -> None:
    places = _append_many([sequencer], 16, 5)
    with reading(sessions) as session:
        for place in places:
            checkpoint = log_store.covering_checkpoint(session, place.index)
            assert checkpoint is not None
            proof = inclusion_proof(place.index, checkpoint.size, log_store.tile_reader(session))
            verify_inclusion(place.index, checkpoint.size, place.leaf_hash, proof, checkpoint.root)


def test_two_sequencers_by_mistake_make_one_log(sessions: Sessions, sequencer: Sequencer) -> None:
    second = Sequencer(sessions, SIGNER)
    second.start()
    try:
        places = _append_many([sequencer, second], 8, 10)
    finally:
        second.stop()
    assert sorted(place.index for place in places) == list(range(160))
    _assert_sound(sessions)


def test_the_same_event_from_many_writers_is_one_entry(sessions: Sessions, sequencer: Sequencer) -> None:
    entry = _entry()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sequencer.append([entry])[0][0].index, range(32)))
    assert set(answers) == {0}
    assert len(_all_leaves(sessions)) == 1


def test_readers_see_only_sound_logs_while_writers_write(sessions: Sessions, sequencer: Sequencer) -> None:
    done = threading.Event()
    faults: list[BaseException] = []

    def _check() -> None:
        try:
            while not done.is_set():
                _check_newest(sessions)
        except BaseException as fault:
            faults.append(fault)

    reader = threading.Thread(target=_check)
    reader.start()
    _append_many([sequencer], 8, 10)
    done.set()
    reader.join()
    assert not faults


def _check_newest(sessions: Sessions) -> None:
    with reading(sessions) as session:
        checkpoint = log_store.latest_checkpoint(session)
        assert checkpoint is not None
        leaves = entry_store.range_of_entries(session, 0, checkpoint.size)
    assert naive.mth(leaves) == checkpoint.root


def test_what_belongs_to_an_event_is_written_with_it(sessions: Sessions, sequencer: Sequencer) -> None:
    def _apply(session: Session, index: int) -> int:
        session.execute(sa.text("INSERT INTO tile (level, n, hashes) VALUES (63, :n, :h)"), {"n": index, "h": b"x"})
        return index * 10

    sequencer.append([_entry()])
    assert sequencer.append([_entry()], _apply)[1] == 10
    with reading(sessions) as session:
        assert log_store.read_tile(session, 63, 1) == b"x"


def test_refused_change_leaves_neither_change_nor_event(sessions: Sessions, sequencer: Sequencer) -> None:
    def _refuse(session: Session, index: int) -> None:
        session.execute(sa.text("INSERT INTO tile (level, n, hashes) VALUES (63, 0, :h)"), {"h": b"x"})
        raise Conflict("no")

    with pytest.raises(Conflict):
        sequencer.append([_entry()], _refuse)
    sequencer.append([_entry()])
    with reading(sessions) as session:
        assert log_store.read_tile(session, 63, 0) == b""
    _assert_sound(sessions)


def test_committed_but_unsigned_entries_are_signed_at_the_next_start(sessions: Sessions) -> None:
    crashed = Sequencer(sessions, SIGNER)
    crashed._publish = lambda: None  # type: ignore[method-assign]  # as if the process died between commit and checkpoint
    crashed.start()
    crashed.append([_entry(), _entry()])
    crashed.stop()
    following = Sequencer(sessions, SIGNER)
    following.start()
    following.stop()
    _assert_sound(sessions)


def test_log_grows_consistently_over_many_sizes(sessions: Sessions, sequencer: Sequencer) -> None:
    for size in (1, 254, 2, 300, 1):
        sequencer.append([_entry() for _ in range(size)])
    _assert_sound(sessions)


def test_when_too_many_wait_the_caller_is_told_to_come_back(sessions: Sessions) -> None:
    small = Sequencer(sessions, SIGNER, max_pending_events=1)
    small.start()
    try:
        with pytest.raises(LogBusy) as caught:
            small.append([_entry(), _entry()])
    finally:
        small.stop()
    assert caught.value.headers == {"Retry-After": "1"}


def test_stopped_log_takes_nothing(sessions: Sessions) -> None:
    stopped = Sequencer(sessions, SIGNER)
    with pytest.raises(LogUnavailable):
        stopped.append([_entry()])


def test_a_caller_who_gave_up_does_not_stop_the_log(sessions: Sessions, sequencer: Sequencer) -> None:
    futures = [sequencer.submit([_entry()]) for _ in range(50)]
    for future in futures[::2]:
        future.cancel()
    answered = [future.result(30)[0][0].index for future in futures if not future.cancelled()]
    following = sequencer.append([_entry()])[0][0].index
    assert following == len(answered)
    _assert_sound(sessions)


def test_full_disk_refuses_and_leaves_the_log_sound(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/audit.db"
    migrate(url, "audit")
    engine = create_engine(url)
    limit = {"pages": 60}

    def _limit(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={limit['pages']}")

    sa.event.listen(engine, "connect", _limit)
    sa.event.listen(engine, "checkout", _limit)
    sessions = session_factory(engine)
    sequencer = Sequencer(sessions, SIGNER)
    sequencer.start()
    try:
        refused = _append_until_refused(sequencer)
        _assert_sound(sessions)
        limit["pages"] = 1_000_000
        place = sequencer.append([refused])[0][0]
        _assert_sound(sessions)
    finally:
        sequencer.stop()
        engine.dispose()
    assert place.index == len(_all_leaves(sessions)) - 1


def _append_until_refused(sequencer: Sequencer) -> NewEntry:
    for _ in range(200):
        entry = _entry("x" * 3_000)
        try:
            sequencer.append([entry])
        except LogUnavailable:
            return entry
    raise AssertionError("the disk never filled")


@pytest.mark.postgres
def test_connections_cut_in_mid_commit_lose_and_double_nothing(postgres_url: str) -> None:
    url = _with_schema(postgres_url)
    migrate(url, "audit")
    engine, admin = create_engine(url), sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    sessions = session_factory(engine)
    sequencer = Sequencer(sessions, SIGNER)
    sequencer.start()
    done = threading.Event()
    cutter = threading.Thread(target=_cut_connections, args=(admin, done))
    cutter.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            indices = list(pool.map(lambda _: _append_until_answered(sequencer), range(200)))
    finally:
        done.set()
        cutter.join()
    sequencer.append([_entry()])
    _assert_sound(sessions)
    sequencer.stop()
    engine.dispose()
    admin.dispose()
    assert sorted(indices) == list(range(200))


def _cut_connections(admin: sa.Engine, done: threading.Event) -> None:
    statement = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with admin.connect() as connection:
        while not done.wait(0.05):
            connection.execute(statement)


def _append_until_answered(sequencer: Sequencer) -> int:
    """As a producer does: the same event again until the log answers."""
    entry = _entry()
    for _ in range(1_000):
        try:
            return sequencer.append([entry])[0][0].index
        except LogUnavailable:
            continue
    raise AssertionError("never answered")


TAMPERINGS = {
    "leaf edited": "UPDATE leaf SET entry = :blob WHERE idx = 4",
    "leaf deleted": "DELETE FROM leaf WHERE idx = 4",
    "tile edited": "UPDATE tile SET hashes = :blob WHERE level = 0",
    "tile deleted": "DELETE FROM tile",
    "tail truncated": "UPDATE coordinate SET size = 2",
    "checkpoint edited": "UPDATE checkpoint SET root = :blob WHERE size = 3",
    "checkpoint note edited": "UPDATE checkpoint SET note = 'x' WHERE size = 3",
}


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_edited_store_is_never_signed(sessions: Sessions, statement: str) -> None:
    """Three entries are signed, two more committed; then the store is edited before they are signed."""
    _fill(sessions)
    with sessions.begin() as session:
        lift_guards(session.connection())
        text = sa.text(statement)
        session.execute(text, {"blob": b"\x00" * 32} if ":blob" in statement else {})
    damaged = Sequencer(sessions, SIGNER)
    damaged.start()
    try:
        assert damaged.damage is not None
        with pytest.raises(LogDamaged):
            damaged.append([_entry()])
    finally:
        damaged.stop()
    with reading(sessions) as session:
        assert session.execute(sa.text("SELECT max(size) FROM checkpoint")).scalar() == 3


def test_9_bit_that_flips_on_its_way_to_the_disk_is_never_signed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/audit.db"
    migrate(url, "audit")
    engine = create_engine(url)
    sessions = session_factory(engine)
    with sessions.begin() as session:
        lift_guards(session.connection())
        flip = "UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), 'flip', 'flop') AS BLOB) WHERE idx = new.idx"
        session.execute(sa.text(f"CREATE TRIGGER disk AFTER INSERT ON leaf BEGIN {flip}; END"))
    sequencer = Sequencer(sessions, SIGNER)
    sequencer.start()
    sequencer.append([_entry()])
    with pytest.raises(LogDamaged):
        sequencer.append([_entry("flip")])
    with pytest.raises(LogDamaged):
        sequencer.append([_entry()])
    sequencer.stop()
    with reading(sessions) as session:
        assert session.execute(sa.text("SELECT max(size) FROM checkpoint")).scalar() == 1
    engine.dispose()


def _fill(sessions: Sessions) -> None:
    first = Sequencer(sessions, SIGNER)
    first.start()
    first.append([_entry() for _ in range(3)])
    first._publish = lambda: None  # type: ignore[method-assign]  # as if the process died between commit and checkpoint
    first.append([_entry(), _entry()])
    first.stop()


def test_another_key_does_not_continue_the_log(sessions: Sessions, sequencer: Sequencer) -> None:
    sequencer.append([_entry()])
    stranger = Sequencer(sessions, NoteSigner("test/log", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)))
    stranger.start()
    stranger.stop()
    assert "key" in str(stranger.damage)


def test_consistency_between_checkpoints_is_provable(sessions: Sessions, sequencer: Sequencer) -> None:
    from shared.tlog.tiles import consistency_proof

    sequencer.append([_entry() for _ in range(5)])
    sequencer.append([_entry() for _ in range(8)])
    with reading(sessions) as session:
        old, new = log_store.checkpoint_of(session, 5), log_store.checkpoint_of(session, 13)
        proof = consistency_proof(5, 13, log_store.tile_reader(session))
    assert old is not None
    assert new is not None
    verify_consistency(5, 13, proof, old.root, new.root)


@pytest.mark.parametrize("pragma", ["synchronous=NORMAL", "synchronous=OFF", "journal_mode=MEMORY"])
def test_sqlite_that_could_lose_entries_is_refused(tmp_path: Path, pragma: str) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/audit.db")

    def _weaken(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(engine, "connect", _weaken)
    with Session(engine) as session, pytest.raises(RuntimeError, match="could be lost"):
        assert_durable(session)
    engine.dispose()


@pytest.mark.postgres
def test_postgres_that_could_lose_entries_is_refused(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, connect_args={"options": "-csynchronous_commit=off"})
    with Session(engine) as session, pytest.raises(RuntimeError, match="synchronous_commit=off"):
        assert_durable(session)
    engine.dispose()
