"""Registering model bundles and moving them between stages; every change is a log entry first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.registry import Bundle, BundleChange, BundleEvent, Registry, Stage, fold
from services.audit.errors import BundleConflict, NoSuchBundle, NothingToRollBackTo
from services.audit.store import bundles as store
from shared.auth import Principal
from shared.contracts.audit import AuditEvent
from shared.database import reading
from shared.digests import digest_json
from shared.ids import uuid7


@dataclass(frozen=True)
class StagedBundle:
    """A bundle, where it stands, and how it came there."""

    bundle: Bundle
    stage: Stage
    history: tuple[BundleEvent, ...]


def register_bundle(
    context: AuditContext,
    principal: Principal,
    name: str,
    version: str,
    digest: str,
    card: dict[str, Any],
    request_id: str,
) -> tuple[StagedBundle, bool]:
    """Register a bundle as a candidate; the bundle, and whether it is new. The same digest again changes nothing.

    Raises: BundleConflict: the name and version, or the digest, belong to another bundle.
    """
    known = _find_same(context, name, version, digest)
    if known is not None:
        return get_bundle(context, known.id), False
    bundle = Bundle(uuid7(), name, version, digest, card, context.clock())
    event = _event(context, principal, "model-registered", "C", bundle, {"cardDigest": digest_json(card)}, request_id)

    def _apply(session: Session, index: int) -> None:
        _refuse_clash(session, name, version, digest)
        store.add_bundle(session, bundle)
        store.add_event(session, _change(index, bundle, BundleChange.CANDIDATE, event))

    try:
        context.record([event], _apply)
    except BundleConflict:
        # Someone else may have registered the very same bundle a moment before.
        known = _find_same(context, name, version, digest)
        if known is None:
            raise
        return get_bundle(context, known.id), False
    return get_bundle(context, bundle.id), True


def list_bundles(context: AuditContext, stage: Stage | None = None) -> list[StagedBundle]:
    """All bundles, or those in one stage, in the order of registration."""
    with reading(context.sessions) as session:
        bundles, events = store.all_bundles(session), store.all_events(session)
    staged = [_staged(bundle, events) for bundle in bundles]
    return [found for found in staged if stage is None or found.stage is stage]


def active_at(context: AuditContext, moment: datetime) -> str | None:
    """The id of the bundle that answered at a time, as the log tells of it; None where none was active."""
    with reading(context.sessions) as session:
        events = store.all_events(session)
    return fold(event for event in events if event.at <= moment).active


def get_bundle(context: AuditContext, bundle_id: str) -> StagedBundle:
    """One bundle. Raises: NoSuchBundle."""
    with reading(context.sessions) as session:
        bundle, events = store.find_bundle(session, bundle_id), store.all_events(session)
    if bundle is None:
        raise NoSuchBundle("There is no such model bundle.")
    return _staged(bundle, events)


def promote_bundle(
    context: AuditContext, principal: Principal, bundle_id: str, stage: Stage, request_id: str
) -> StagedBundle:
    """Put a bundle into a stage; the bundle that was active before retires. Where it stands already, nothing changes.

    Raises: NoSuchBundle.
    """
    present = get_bundle(context, bundle_id)
    if present.stage is stage:
        return present
    details = {"from": str(present.stage), "to": str(stage)}
    event = _event(context, principal, "model-promoted", "U", present.bundle, details, request_id)

    def _apply(session: Session, index: int) -> None:
        if fold(store.all_events(session)).stages.get(bundle_id) is not present.stage:
            raise BundleConflict("The bundle's stage changed meanwhile; look again.")
        store.add_event(session, _change(index, present.bundle, BundleChange(stage), event))

    context.record([event], _apply)
    return get_bundle(context, bundle_id)


def roll_back(context: AuditContext, principal: Principal, request_id: str) -> StagedBundle:
    """Make the bundle active again that was active before the present one.

    Raises: NothingToRollBackTo. BundleConflict: the active bundle changed meanwhile.
    """
    with reading(context.sessions) as session:
        before = fold(store.all_events(session))
    target = get_bundle(context, _previous(before)).bundle
    details = {"from": before.active} if before.active else {}
    event = _event(context, principal, "model-rolled-back", "U", target, details, request_id)

    def _apply(session: Session, index: int) -> None:
        now = fold(store.all_events(session))
        if (now.active, now.previous) != (before.active, target.id):
            raise BundleConflict("The active bundle changed meanwhile; look again.")
        store.add_event(session, _change(index, target, BundleChange.ROLLED_BACK_TO, event))

    context.record([event], _apply)
    return get_bundle(context, target.id)


def _previous(registry: Registry) -> str:
    if registry.previous is None:
        raise NothingToRollBackTo("No bundle was active before this one.")
    return registry.previous


def _find_same(context: AuditContext, name: str, version: str, digest: str) -> Bundle | None:
    with reading(context.sessions) as session:
        known = store.find_by_digest(session, digest)
    return known if known is not None and (known.name, known.version) == (name, version) else None


def _refuse_clash(session: Session, name: str, version: str, digest: str) -> None:
    if store.find_by_name(session, name, version) is not None:
        raise BundleConflict("This name and version belong to another bundle: a version is registered once.")
    if store.find_by_digest(session, digest) is not None:
        raise BundleConflict("A bundle with this digest is registered under another name or version.")


def _staged(bundle: Bundle, events: list[BundleEvent]) -> StagedBundle:
    history = tuple(event for event in events if event.bundle_id == bundle.id)
    return StagedBundle(bundle, fold(events).stages[bundle.id], history)


def _change(index: int, bundle: Bundle, change: BundleChange, event: AuditEvent) -> BundleEvent:
    return BundleEvent(index, bundle.id, change, event.occurred_at, event.actor.subject)


def _event(
    context: AuditContext,
    principal: Principal,
    subtype: str,
    action: Any,
    bundle: Bundle,
    more: dict[str, Any],
    request_id: str,
) -> AuditEvent:
    # A bundle's digest is no patient data: it goes in plainly, so that anyone can compare it with the files.
    details = {"name": bundle.name, "version": bundle.version, "bundleDigest": bundle.digest, **more}
    return context.events.event(
        principal, "model", subtype, action, kind="model", object_id=bundle.id, request_id=request_id, details=details
    )
