"""Queries about erasures, their parts, and legal holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.erasure import Erasure, Hold, Part, State
from services.audit.store.rows import (
    BreakGlassReviewRow,
    BreakGlassRow,
    ConsentRow,
    ErasurePartRow,
    ErasureRow,
    HoldRow,
)
from shared.database import change_rows

_LOG = "the log: pseudonyms and keyed digests, and the proofs rest on every byte"
KEPT = {
    **dict.fromkeys(("leaf", "tile", "checkpoint", "cosignature", "coordinate", "producer", "producer_gap"), _LOG),
    **dict.fromkeys(("bundle", "bundle_event"), "models, no patient"),
    "bundle_evidence": "models, and who approved them; no patient",
    "leaf_span": "times between which the log's tiles lie",
    "erasure_part": "receipts: numbers",
    "hold": "a pseudonym, and words that may not name the patient",
}
"""Tables that an erasure leaves alone, and why."""


def add_erasure(session: Session, erasure: Erasure, services: Iterable[str]) -> None:
    """Write an erasure, with a part for each service."""
    row = {name: value for name, value in vars(erasure).items() if name not in ("index", "parts")}
    session.execute(sa.insert(ErasureRow), [{**row, "idx": erasure.index}])
    parts = [{"erasure_id": erasure.id, "service": service, "attempts": 0} for service in services]
    session.execute(sa.insert(ErasurePartRow), parts)


def find_erasure(session: Session, erasure_id: str) -> Erasure | None:
    """One erasure."""
    row = session.get(ErasureRow, erasure_id, populate_existing=True)
    return _erasure(session, row) if row else None


def unfinished_of(session: Session, subject_ref: str) -> Erasure | None:
    """A patient's erasure that waits or runs."""
    query = sa.select(ErasureRow).where(ErasureRow.subject_ref == subject_ref, ErasureRow.state != "done")
    row = session.scalars(query.order_by(ErasureRow.id).limit(1)).one_or_none()
    return _erasure(session, row) if row else None


def newest_of(session: Session, subject_ref: str) -> Erasure | None:
    """A patient's newest erasure, whatever its state."""
    query = sa.select(ErasureRow).where(ErasureRow.subject_ref == subject_ref)
    row = session.scalars(query.order_by(ErasureRow.id.desc()).limit(1)).one_or_none()
    return _erasure(session, row) if row else None


def running(session: Session) -> list[Erasure]:
    """The erasures to work on, oldest first."""
    rows = session.scalars(sa.select(ErasureRow).where(ErasureRow.state == "running").order_by(ErasureRow.id))
    return [_erasure(session, row) for row in rows]


def is_catching_up(session: Session) -> bool:
    """Whether an erasure that a restored backup undid is not done again yet."""
    query = sa.select(ErasureRow.id).where(ErasureRow.state == "running", ErasureRow.again)
    return session.scalars(query.limit(1)).first() is not None


def known_ids(session: Session) -> set[str]:
    """Every erasure."""
    return set(session.scalars(sa.select(ErasureRow.id)))


def set_state(session: Session, erasure_ids: Sequence[str], state: State) -> None:
    """Let erasures wait, or go on."""
    session.execute(sa.update(ErasureRow).where(ErasureRow.id.in_(erasure_ids)).values(state=state))


def open_again(session: Session, erasure_id: str, services: Iterable[str]) -> None:
    """An erasure has to be done again in these services. One that is not done yet will be anyway."""
    done = sa.update(ErasureRow).where(ErasureRow.id == erasure_id, ErasureRow.state == "done")
    if change_rows(session, done.values(state="running", again=True)):
        parts = sa.update(ErasurePartRow).where(ErasurePartRow.erasure_id == erasure_id)
        session.execute(parts.where(ErasurePartRow.service.in_(services)).values(stores=sa.null(), done_at=None))


def count_attempt(session: Session, erasure_id: str, service: str) -> None:
    """A service is about to be asked."""
    attempts = {"attempts": ErasurePartRow.attempts + 1}
    session.execute(_part(erasure_id, service).values(attempts))


def finish_part(session: Session, erasure_id: str, service: str, stores: Mapping[str, int], now: datetime) -> None:
    """Keep a service's receipt."""
    session.execute(_part(erasure_id, service).values(stores=dict(stores), done_at=now))


def finish(session: Session, erasure_id: str, index: int, now: datetime) -> None:
    """All have answered: from now on nobody knows the identifier."""
    row = sa.update(ErasureRow).where(ErasureRow.id == erasure_id)
    session.execute(row.values(state="done", patient=None, finished_at=now, idx=index, again=False))


def erase_side_tables(session: Session, subject_ref: str) -> dict[str, int]:
    """What this service's own tables say of a patient beyond the pseudonym. Consents and accesses stay, as the log has
    them: who, when, for what, decided how.
    """
    consents = sa.update(ConsentRow).where(ConsentRow.subject_ref == subject_ref, ConsentRow.patient != subject_ref)
    glass = sa.update(BreakGlassRow).where(BreakGlassRow.subject_ref == subject_ref)
    accesses = sa.select(BreakGlassRow.id).where(BreakGlassRow.subject_ref == subject_ref)
    reviews = sa.update(BreakGlassReviewRow).where(BreakGlassReviewRow.access_id.in_(accesses))
    changes = {
        "consent": consents.values(patient=subject_ref),
        "break_glass": glass.where(BreakGlassRow.patient != subject_ref).values(patient=subject_ref, reason=""),
        "break_glass_review": reviews.where(BreakGlassReviewRow.comment.is_not(None)).values(comment=None),
    }
    done = {table: change_rows(session, change) for table, change in changes.items()}
    return {table: count for table, count in done.items() if count}


def add_hold(session: Session, hold: Hold) -> None:
    """Write a hold."""
    row = {name: value for name, value in vars(hold).items() if name != "index"}
    session.execute(sa.insert(HoldRow), [{**row, "idx": hold.index}])


def find_hold(session: Session, hold_id: str) -> Hold | None:
    """One hold."""
    row = session.get(HoldRow, hold_id, populate_existing=True)
    return _hold(row) if row else None


def standing_holds(session: Session, subject_ref: str | None = None) -> list[Hold]:
    """Holds that were not released, of one patient or of all, oldest first."""
    query = sa.select(HoldRow).where(HoldRow.released_at.is_(None)).order_by(HoldRow.id)
    if subject_ref is not None:
        query = query.where(HoldRow.subject_ref == subject_ref)
    return [_hold(row) for row in session.scalars(query)]


def release_hold(session: Session, hold_id: str, by: str, now: datetime) -> None:
    """A hold stands no longer."""
    session.execute(sa.update(HoldRow).where(HoldRow.id == hold_id).values(released_at=now, released_by=by))


def _part(erasure_id: str, service: str) -> sa.Update:
    return sa.update(ErasurePartRow).where(ErasurePartRow.erasure_id == erasure_id, ErasurePartRow.service == service)


def _erasure(session: Session, row: ErasureRow) -> Erasure:
    query = sa.select(ErasurePartRow).where(ErasurePartRow.erasure_id == row.id).order_by(ErasurePartRow.service)
    parts = session.scalars(query.execution_options(populate_existing=True))
    return Erasure(
        id=row.id, subject_ref=row.subject_ref, patient=row.patient, reason=row.reason, issuer=row.issuer,
        subject=row.subject, requested_at=row.requested_at, state=_STATES[row.state], again=row.again,
        finished_at=row.finished_at, index=row.idx,
        parts=tuple(Part(part.service, part.stores, part.done_at, part.attempts) for part in parts),
    )  # fmt: skip


_STATES: Mapping[str, State] = {"held": "held", "running": "running", "done": "done"}


def _hold(row: HoldRow) -> Hold:
    return Hold(
        id=row.id, subject_ref=row.subject_ref, reason=row.reason, owner=row.owner, issuer=row.issuer,
        subject=row.subject, placed_at=row.placed_at, index=row.idx, released_at=row.released_at,
        released_by=row.released_by,
    )  # fmt: skip
