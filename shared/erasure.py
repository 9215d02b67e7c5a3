"""Erasing one patient from a service: the table that says so, the fence around it, and the route that has it done.

A service has `class ErasureRow(ErasureMixin, Base)` and an `Eraser` that knows its tables. In one transaction the rows
go and the order is written down; the blobs follow, and an order that is sent again goes on where it stopped.

The newest erasure of a patient names the scope in which the patient's blobs lie (`shared.blobs`), so that what comes
afterwards is never mixed with what went. Who stores anything says first that it is at work on the patient (`enter`): of
an erasure and a storing at the same time one comes first, and the other sees it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.auth import Role, require
from shared.blobs import BlobStore
from shared.contracts.erasure import ErasureIds, ErasureOrder, ErasureReceipt
from shared.database import UtcDateTime, forget_older_pages, reading
from shared.errors import Unavailable
from shared.keys.store import place_of
from shared.web import Runtime, RuntimeDep

FIRST = "first"
"""The scope of a patient who was never erased."""
KEPT_EVERYWHERE = {
    "outbox": "audit events on their way: pseudonyms and keyed digests, which the log keeps too",
    "outbox_counter": "a number",
    "erasure": "that the patient was erased: the pseudonym and numbers",
}
"""Tables of every service that an erasure leaves alone, and why."""
BUCKETS = 256
"""PostgreSQL's locks are few: patients share them."""


class ErasureMixin:
    """Columns of a service's table of the erasures that it has carried out. It knows patients by pseudonym alone."""

    __tablename__ = "erasure"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    """Of the order: UUIDv7, so that the greatest is the newest."""
    subject_ref: Mapped[str] = mapped_column(sa.String(64), index=True)
    erased_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stores: Mapped[dict[str, int]] = mapped_column(sa.JSON)
    """What was erased, by store."""
    left: Mapped[list[str]] = mapped_column(sa.JSON)
    """Blobs that no row names any more and that are not removed yet: digests, and owners of scopes."""


def erasure_columns() -> list[sa.Column[Any]]:
    """The columns of that table, for migrations."""
    return [
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("subject_ref", sa.String(64), nullable=False),
        sa.Column("erased_at", UtcDateTime, nullable=False),
        sa.Column("stores", sa.JSON, nullable=False),
        sa.Column("left", sa.JSON, nullable=False),
    ]


@dataclass(frozen=True)
class Subject:
    """Whose data are erased: a pseudonym, and those identifiers of this service's that have it."""

    tenant: str
    subject_ref: str
    patients: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What the rows of a patient were, and which blobs they named."""

    stores: Mapping[str, int]
    digests: frozenset[str] = frozenset()
    """Blobs outside of scopes that no other row names."""
    owners: frozenset[str] = frozenset()
    """Owners of scopes beside the patient, all of whose blobs go."""


@dataclass(frozen=True)
class Eraser:
    """What one service knows of erasing."""

    service: str
    row: type[ErasureMixin]
    patients: Callable[[Session, str], Iterable[str]]
    """Every identifier of a patient that this service knows, of a tenant."""
    erase: Callable[[Session, Runtime, Subject], Found]
    """Delete the rows, in the caller's transaction."""
    settle: Callable[[Runtime], None] = field(default=lambda _: None)
    """Raises Unavailable as long as a process still holds in memory what was erased."""


@dataclass(frozen=True)
class PatientBlobs:
    """Where the blobs of one patient lie now."""

    subject_ref: str
    scope: str
    place: str
    """The name of its key (`shared.keys`)."""
    store: BlobStore


class ErasedMeanwhile(Unavailable):
    """The patient was erased while something of them was being stored: nothing was, and it may be sent again."""

    slug = "erased-meanwhile"


def scope_of(session: Session, row: type[ErasureMixin], subject_ref: str, *, before: str | None = None) -> str:
    """The scope of a patient's blobs: the newest erasure (of those before one, if given), or that there was none."""
    newest = _newest(row)  # type: ignore[arg-type]  # a class has a hash
    if before is not None:
        newest = newest.where(row.id < before)
    return session.scalar(newest, {"subject": subject_ref}) or FIRST


@cache
def _newest(row: type[ErasureMixin]) -> sa.Select[str]:
    # Asked twice for whatever is stored: building it takes longer than the answer.
    return sa.select(sa.func.max(row.id)).where(row.subject_ref == sa.bindparam("subject"))


def blobs_of(runtime: Runtime, row: type[ErasureMixin], patient: str) -> PatientBlobs:
    """The blobs of one patient."""
    with reading(runtime.sessions) as session:
        return blobs_in(session, runtime, row, patient)


def blobs_in(session: Session, runtime: Runtime, row: type[ErasureMixin], patient: str) -> PatientBlobs:
    """The same, as a session of the caller's sees it."""
    subject_ref = runtime.events.pseudonyms.patient(runtime.common.tenant, patient)
    scope, owner = scope_of(session, row, subject_ref), _owner(runtime, subject_ref)
    return PatientBlobs(subject_ref, scope, place_of(owner, scope), runtime.blobs.of(owner, scope))


def place_now(session: Session, runtime: Runtime, row: type[ErasureMixin], patient: str) -> str:
    """The name of a patient's key in a transaction that has entered: no erasure changes it before that ends."""
    subject_ref = runtime.events.pseudonyms.patient(runtime.common.tenant, patient)
    return place_of(_owner(runtime, subject_ref), scope_of(session, row, subject_ref))


def _owner(runtime: Runtime, subject_ref: str) -> str:
    """Of a patient's blobs in this service: the services share one store and erase one after the other."""
    return f"{runtime.events.producer}-{subject_ref}"


def enter(session: Session, subjects: Iterable[str]) -> None:
    """Until the transaction ends, no erasure of these patients (pseudonyms) goes through; one that does is waited for.

    SQLite has one writer at a time anyway.
    """
    _lock(session, subjects, "pg_advisory_xact_lock_shared")


def check_standing(session: Session, row: type[ErasureMixin], blobs: PatientBlobs) -> None:
    """For a transaction whose rows name blobs that are stored already, or rest on what was read before it began.

    Raises: ErasedMeanwhile: all that is gone.
    """
    enter(session, [blobs.subject_ref])
    if scope_of(session, row, blobs.subject_ref) != blobs.scope:
        raise ErasedMeanwhile("The patient was erased at this moment; nothing was stored. Send it again.")


def _lock(session: Session, subjects: Iterable[str], function: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        # In one order, so that two transactions of several patients never wait for one another.
        buckets = sorted({zlib.crc32(subject.encode()) % BUCKETS for subject in subjects})
        lock = sa.text(f"SELECT {function}(hashtext('erasure'), b) FROM unnest(:buckets) AS b")  # noqa: S608  # of two
        session.execute(
            lock.bindparams(sa.bindparam("buckets", type_=postgresql.ARRAY(sa.Integer))), {"buckets": buckets}
        )


def erased_since(session: Session, row: type[ErasureMixin], moment: datetime) -> set[str]:
    """The patients (pseudonyms) that were erased after a time."""
    return set(session.scalars(sa.select(row.subject_ref).where(row.erased_at >= moment)))


def carry_out(runtime: Runtime, eraser: Eraser, order: ErasureOrder) -> ErasureReceipt:
    """Erase a patient from a service, or go on with it; carried out before, the order gives the same receipt.

    Raises: Unavailable: something is left; send the order again.
    """
    row = eraser.row
    with runtime.sessions.begin() as session:
        _lock(session, [order.subject_ref], "pg_advisory_xact_lock")
        known = session.get(row, order.id)
        left = scope_of(session, row, order.subject_ref, before=order.id)
        if known is None:
            found = eraser.erase(session, runtime, _subject(session, runtime, eraser, order))
            known = row(  # type: ignore[call-arg]  # a mixin has no __init__ of its own
                id=order.id, subject_ref=order.subject_ref, erased_at=runtime.clock(),
                stores={name: count for name, count in found.stores.items() if count},
                left=sorted(found.digests | found.owners),
            )  # fmt: skip
            session.add(known)
    removed = _remove_blobs(runtime.blobs, _owner(runtime, order.subject_ref), known, left)
    with runtime.sessions.begin() as session:
        done = session.get_one(row, order.id, with_for_update=True)
        if removed:
            done.stores = {**done.stores, "blobs": done.stores.get("blobs", 0) + removed}
        done.left = []
    forget_older_pages(runtime.sessions.kw["bind"])
    eraser.settle(runtime)
    return ErasureReceipt(service=eraser.service, stores=done.stores)


def _subject(session: Session, runtime: Runtime, eraser: Eraser, order: ErasureOrder) -> Subject:
    tenant, pseudonyms = runtime.common.tenant, runtime.events.pseudonyms
    if order.patient is not None:
        patients = [order.patient]
    else:
        everybody = eraser.patients(session, tenant)
        patients = [one for one in everybody if pseudonyms.patient(tenant, one) == order.subject_ref]
    return Subject(tenant, order.subject_ref, tuple(patients))


def _remove_blobs(blobs: BlobStore, owner: str, known: ErasureMixin, left: str) -> int:
    """Everything of the patient's but the scope that holds now, which a later storing may have begun to fill."""
    # One that was just left is closed though it be empty: somebody may be about to store there.
    old = {left, FIRST, *blobs.scopes(owner)}
    removed = sum(blobs.erase(owner, scope) for scope in old if scope < known.id or scope == FIRST)
    for name in known.left:
        if name.startswith("sha256:"):
            removed += blobs.remove(name)
        else:
            removed += sum(blobs.erase(name, scope) for scope in {FIRST, *blobs.scopes(name)})
    return removed


def unknown_to(session: Session, row: type[ErasureMixin], ids: Sequence[str]) -> list[str]:
    """Those of these orders that were never carried out here."""
    known = set(session.scalars(sa.select(row.id)))
    return [one for one in ids if one not in known]


def erasure_router(eraser: Eraser) -> APIRouter:
    """The routes of one service (`shared.contracts.erasure`)."""
    path = f"/internal/{eraser.service}/erasures"
    router = APIRouter(tags=["internal"], include_in_schema=False)
    service = [Depends(require(Role.SERVICE))]

    @router.post(path, dependencies=service)
    def erase_patient(order: ErasureOrder, runtime: RuntimeDep) -> ErasureReceipt:
        """Erase what this service keeps of one patient."""
        return carry_out(runtime, eraser, order)

    @router.post(f"{path}/unknown", dependencies=service)
    def list_unknown(asked: ErasureIds, runtime: RuntimeDep) -> ErasureIds:
        """Which of these orders this service's database does not know."""
        with reading(runtime.sessions) as session:
            return ErasureIds(ids=unknown_to(session, eraser.row, asked.ids))

    return router
