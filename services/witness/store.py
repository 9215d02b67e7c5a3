"""The tables of the witness and every query on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.database import DeclarativeBase, UtcDateTime, insert_into, new_metadata
from shared.tlog.checkpoint import Checkpoint
from shared.tlog.tree import EMPTY_ROOT

Size = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MAX_EVIDENCE = 100
"""Contradictions kept of one log: one proves its point, and nobody shall fill the disk with more."""


class Base(DeclarativeBase):
    """The witness's own metadata."""

    metadata = new_metadata()


class WatchedRow(Base):
    """The newest checkpoint cosigned of one log; size 0 and no note before the first."""

    __tablename__ = "watched"

    origin: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(Size)
    root: Mapped[bytes]
    note: Mapped[str] = mapped_column(sa.Text)
    cosignature: Mapped[str] = mapped_column(sa.Text)
    cosigned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EvidenceRow(Base):
    """Two notes that a log has signed and that contradict each other."""

    __tablename__ = "evidence"

    id: Mapped[int] = mapped_column(Size, primary_key=True)
    origin: Mapped[str] = mapped_column(index=True)
    known: Mapped[str] = mapped_column(sa.Text)
    shown: Mapped[str] = mapped_column(sa.Text)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Watched:
    """What the witness knows of one log."""

    size: int
    root: bytes
    note: str
    cosignature: str
    cosigned_at: datetime | None


@dataclass(frozen=True)
class Evidence:
    """A contradiction: the note cosigned before, and the one that was shown."""

    known: str
    shown: str
    seen_at: datetime


def watch(session: Session, origin: str) -> None:
    """Begin to watch a log, unless it is watched."""
    row = {"origin": origin, "size": 0, "root": EMPTY_ROOT, "note": "", "cosignature": "", "cosigned_at": None}
    session.execute(insert_into(session, WatchedRow).on_conflict_do_nothing(), [row])


def take_watched(session: Session, origin: str) -> Watched:
    """What is known of a log; until this transaction ends nobody else gets an answer to this question.

    On SQLite the transaction already holds the write lock (`BEGIN IMMEDIATE`).
    """
    query = sa.select(WatchedRow).where(WatchedRow.origin == origin).with_for_update()
    return _to_domain(session.execute(query).scalar_one())


def find_watched(session: Session, origin: str) -> Watched | None:
    """What is known of a log."""
    row = session.get(WatchedRow, origin)
    return _to_domain(row) if row else None


def put_checkpoint(session: Session, checkpoint: Checkpoint, note: str, cosignature: str, now: datetime) -> None:
    """Remember the newest checkpoint of a log."""
    values = {"size": checkpoint.size, "root": checkpoint.root, "note": note}
    update = sa.update(WatchedRow).where(WatchedRow.origin == checkpoint.origin)
    session.execute(update.values(**values, cosignature=cosignature, cosigned_at=now))


def add_evidence(session: Session, origin: str, known: str, shown: str, now: datetime) -> None:
    """Keep a contradiction, unless enough are kept of this log or this one is."""
    same = sa.and_(EvidenceRow.origin == origin, EvidenceRow.shown == shown)
    kept = session.execute(sa.select(sa.func.count()).where(EvidenceRow.origin == origin)).scalar_one()
    if kept < MAX_EVIDENCE and session.execute(sa.select(EvidenceRow.id).where(same)).first() is None:
        session.add(EvidenceRow(origin=origin, known=known, shown=shown, seen_at=now))


def all_evidence(session: Session, origin: str) -> list[Evidence]:
    """What contradicts a log, oldest first."""
    query = sa.select(EvidenceRow).where(EvidenceRow.origin == origin).order_by(EvidenceRow.id)
    return [Evidence(row.known, row.shown, row.seen_at) for row in session.execute(query).scalars()]


def _to_domain(row: WatchedRow) -> Watched:
    return Watched(row.size, row.root, row.note, row.cosignature, row.cosigned_at)
