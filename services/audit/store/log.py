"""The log's own queries: coordinate, leaves, tiles, checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.entries import NewEntry, Placed, model_of
from services.audit.store.rows import Base, CheckpointRow, CoordinateRow, LeafRow, TileRow
from shared.database import insert_into
from shared.tlog.tiles import TileReader

ID_CHUNK = 500


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint as it was signed."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True)
class NewLeaf:
    """A numbered entry on its way into the table."""

    index: int
    entry: NewEntry
    leaf: bytes
    leaf_hash: bytes


def take_coordinate(session: Session) -> int:
    """The log's size; until this transaction ends nobody else gets an answer to this question.

    On SQLite the transaction already holds the write lock (`BEGIN IMMEDIATE`).
    """
    query = sa.select(CoordinateRow.size).where(CoordinateRow.id == 1).with_for_update()
    return session.execute(query).scalar_one()


def read_coordinate(session: Session) -> int:
    """The log's size, without a lock."""
    return session.execute(sa.select(CoordinateRow.size).where(CoordinateRow.id == 1)).scalar_one()


def move_coordinate(session: Session, old: int, new: int) -> None:
    """Record the new size.

    Raises: RuntimeError: someone moved it although this transaction holds it.
    """
    update = sa.update(CoordinateRow).where(CoordinateRow.id == 1, CoordinateRow.size == old).values(size=new)
    if getattr(session.execute(update), "rowcount", 0) != 1:
        raise RuntimeError("the log's coordinate moved under its lock")


def find_placed(session: Session, event_ids: Sequence[str]) -> dict[str, Placed]:
    """Those of the events that the log already holds."""
    placed = {}
    for start in range(0, len(event_ids), ID_CHUNK):
        chunk = event_ids[start : start + ID_CHUNK]
        query = sa.select(LeafRow.event_id, LeafRow.idx, LeafRow.body_digest, LeafRow.leaf_hash)
        for event_id, index, digest, leaf_hash in session.execute(query.where(LeafRow.event_id.in_(chunk))):
            placed[event_id] = Placed(index, digest, leaf_hash)
    return placed


def add_leaves(session: Session, leaves: Iterable[NewLeaf], received_at: datetime) -> None:
    """Write numbered entries with the copies that queries use."""
    rows = [
        {
            "idx": leaf.index,
            "event_id": leaf.entry.event.event_id,
            "body_digest": leaf.entry.digest,
            "entry": leaf.leaf,
            "leaf_hash": leaf.leaf_hash,
            "received_at": received_at,
            "occurred_at": leaf.entry.event.occurred_at,
            "producer": leaf.entry.event.producer,
            "type": leaf.entry.event.type,
            "subtype": leaf.entry.event.subtype,
            "outcome": leaf.entry.event.outcome,
            "actor": leaf.entry.event.actor.subject,
            "subject_ref": leaf.entry.event.subject_ref,
            "object_id": leaf.entry.event.object.id if leaf.entry.event.object else None,
            "producer_seq": leaf.entry.event.producer_seq,
            "purpose": leaf.entry.event.purpose_of_use,
            "model": model_of(leaf.entry.event),
        }
        for leaf in leaves
    ]
    if rows:
        session.execute(sa.insert(Base.metadata.tables["leaf"]), rows)


def tile_reader(session: Session) -> TileReader:
    """Reads tiles in this session's transaction, each once."""
    seen: dict[tuple[int, int], bytes] = {}

    def _read(level: int, n: int) -> bytes:
        if (level, n) not in seen:
            seen[level, n] = read_tile(session, level, n)
        return seen[level, n]

    return _read


def read_tile(session: Session, level: int, n: int) -> bytes:
    """The hashes of a tile so far; empty if there is none."""
    query = sa.select(TileRow.hashes).where(TileRow.level == level, TileRow.n == n)
    return session.execute(query).scalar() or b""


def put_tiles(session: Session, tiles: Mapping[tuple[int, int], bytes]) -> None:
    """Write tiles that began or grew."""
    rows = [{"level": level, "n": n, "hashes": hashes} for (level, n), hashes in tiles.items()]
    if not rows:
        return
    insert = insert_into(session, TileRow)
    session.execute(
        insert.on_conflict_do_update(index_elements=["level", "n"], set_={"hashes": insert.excluded.hashes}), rows
    )


def stored_leaf_hashes(session: Session, start: int, end: int) -> list[bytes]:
    """The leaf hashes of [start, end), computed anew from the stored bytes; shorter if a leaf is missing."""
    query = sa.select(LeafRow.idx, LeafRow.entry).where(LeafRow.idx >= start, LeafRow.idx < end).order_by(LeafRow.idx)
    hashes = []
    for expected, (index, entry) in enumerate(session.execute(query), start):
        if index != expected:
            break
        hashes.append(hashlib.sha256(b"\x00" + entry).digest())
    return hashes


def latest_checkpoint(session: Session) -> SignedCheckpoint | None:
    """The newest signed checkpoint."""
    return _checkpoint(session, sa.select(CheckpointRow).order_by(CheckpointRow.size.desc()).limit(1))


def covering_checkpoint(session: Session, index: int) -> SignedCheckpoint | None:
    """The first signed checkpoint that covers this entry: a receipt made with it is always the same."""
    query = sa.select(CheckpointRow).where(CheckpointRow.size > index).order_by(CheckpointRow.size).limit(1)
    return _checkpoint(session, query)


def checkpoint_of(session: Session, size: int) -> SignedCheckpoint | None:
    """The signed checkpoint of exactly this size."""
    return _checkpoint(session, sa.select(CheckpointRow).where(CheckpointRow.size == size))


def add_checkpoint(session: Session, checkpoint: SignedCheckpoint, signed_at: datetime) -> None:
    """Store a signed checkpoint."""
    row = {"size": checkpoint.size, "root": checkpoint.root, "note": checkpoint.note, "signed_at": signed_at}
    session.execute(sa.insert(CheckpointRow), [row])


def _checkpoint(session: Session, query: sa.Select[CheckpointRow]) -> SignedCheckpoint | None:
    row = session.execute(query).scalar()
    return SignedCheckpoint(row.size, row.root, row.note) if row else None
