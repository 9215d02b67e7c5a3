"""Queries about model bundles and the logged changes of their stages."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.registry import Bundle, BundleChange, BundleEvent
from services.audit.store.rows import BundleEventRow, BundleRow


def add_bundle(session: Session, bundle: Bundle) -> None:
    """Write a new bundle."""
    session.execute(sa.insert(BundleRow), [vars(bundle)])


def add_event(session: Session, event: BundleEvent) -> None:
    """Write one logged change."""
    values = {"idx": event.index, "bundle_id": event.bundle_id, "change": event.change.value, "at": event.at}
    why = {"actor": event.actor, "reason": event.reason, "percent": event.percent}
    session.execute(sa.insert(BundleEventRow), [{**values, **why}])


def find_bundle(session: Session, bundle_id: str) -> Bundle | None:
    """A bundle by its id."""
    return _one(session, BundleRow.id == bundle_id)


def find_by_digest(session: Session, digest: str) -> Bundle | None:
    """A bundle by the content address of its files."""
    return _one(session, BundleRow.digest == digest)


def find_by_name(session: Session, name: str, version: str) -> Bundle | None:
    """A bundle by name and version."""
    return _one(session, sa.and_(BundleRow.name == name, BundleRow.version == version))


def all_bundles(session: Session) -> list[Bundle]:
    """Every bundle, in the order of registration."""
    query = sa.select(BundleRow).order_by(BundleRow.registered_at, BundleRow.id)
    return [_to_domain(row) for row in session.execute(query).scalars()]


def identities(session: Session, ids: Collection[str]) -> dict[str, tuple[str, str, str]]:
    """Name, version and digest of bundles by id, without their cards: those are long."""
    query = sa.select(BundleRow.id, BundleRow.name, BundleRow.version, BundleRow.digest).where(BundleRow.id.in_(ids))
    return {id_: (name, version, digest) for id_, name, version, digest in session.execute(query)}


def all_events(session: Session) -> list[BundleEvent]:
    """Every logged change, in the order of the log."""
    query = sa.select(BundleEventRow).order_by(BundleEventRow.idx)
    return [
        BundleEvent(row.idx, row.bundle_id, BundleChange(row.change), row.at, row.actor, row.reason, row.percent)
        for row in session.execute(query).scalars()
    ]


def _one(session: Session, condition: sa.ColumnElement[bool]) -> Bundle | None:
    row = session.execute(sa.select(BundleRow).where(condition)).scalar()
    return _to_domain(row) if row else None


def _to_domain(row: BundleRow) -> Bundle:
    return Bundle(row.id, row.name, row.version, row.digest, row.card, row.registered_at)
