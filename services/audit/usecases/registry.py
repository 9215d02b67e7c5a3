"""Registering model bundles and moving them between stages; every change is a log entry first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.gates import REQUIRED, Gate
from services.audit.domain.registry import Bundle, BundleChange, BundleEvent, Registry, Stage, fold
from services.audit.errors import BundleConflict, NoLocalActivation, NoSuchBundle, NothingToRollBackTo, StageTaken
from services.audit.store import bundles as store
from services.audit.store import evidence as evidence_store
from services.audit.usecases.evidence import check_gates
from shared.auth import Principal
from shared.contracts.audit import AuditEvent
from shared.contracts.models import ServedBundle, Serving
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


@dataclass(frozen=True)
class Promotion:
    """Where a bundle is to go, and why."""

    stage: Stage
    percent: int | None = None
    """Of the patients; for the canary alone."""
    reason: str | None = None


def promote_bundle(
    context: AuditContext, principal: Principal, bundle_id: str, wanted: Promotion, request_id: str
) -> StagedBundle:
    """Put a bundle into a stage; the bundle that was active before retires. Where it stands already, nothing changes.

    Raises: NoSuchBundle. GatesNotPassed. StageTaken: another bundle is the shadow or the canary, or a canary would
        have no active bundle beside it. BundleConflict: its stage changed meanwhile.
    """
    before, present = _registry(context), get_bundle(context, bundle_id)
    if present.stage is wanted.stage and (wanted.percent is None or wanted.percent == before.percent):
        return present
    details: dict[str, Any] = {"from": str(present.stage), "to": str(wanted.stage)}
    details |= {} if wanted.percent is None else {"percent": wanted.percent}
    event = _event(context, principal, "model-promoted", "U", present.bundle, details, request_id, wanted.reason)

    def _apply(session: Session, index: int) -> None:
        now = fold(store.all_events(session))
        if now.stages.get(bundle_id) is not present.stage:
            raise BundleConflict("The bundle's stage changed meanwhile; look again.")
        _refuse_taken(now, bundle_id, wanted.stage)
        check_gates(context, session, present.bundle, REQUIRED.get(wanted.stage, ()))
        change = _change(index, present.bundle, BundleChange(wanted.stage), event)
        store.add_event(session, replace(change, reason=wanted.reason, percent=wanted.percent))

    context.record([event], _apply)
    return get_bundle(context, bundle_id)


def activate_locally(context: AuditContext, principal: Principal, bundle_id: str, request_id: str) -> StagedBundle:
    """Make the bundle active that a suite came with, without approvals: an event of a kind of its own says so, and
    which gates were not passed. Where it is active already, nothing changes.

    Raises: NoSuchBundle. GatesNotPassed: its signature is not verified. NoLocalActivation: the suite does not permit
        it, or people decide about bundles here: somebody has approved one, or rolled back, or this one was active.
    """
    present = get_bundle(context, bundle_id)
    if present.stage is Stage.ACTIVE:
        return present
    if not context.models.local_activation:
        raise NoLocalActivation(
            "This suite does not permit local activation (CONSILIUM_AUDIT_MODEL_LOCAL_ACTIVATION): "
            "have the bundle approved by two people, and promote it."
        )
    with reading(context.sessions) as session:
        missing = check_gates(context, session, present.bundle, (Gate.SIGNATURE,))
    details = {"from": str(present.stage), "openGates": [str(gate) for gate in missing]}
    event = _event(context, principal, "model-activated-locally", "U", present.bundle, details, request_id)

    def _apply(session: Session, index: int) -> None:
        _refuse_where_people_decide(session, bundle_id)
        store.add_event(session, _change(index, present.bundle, BundleChange.ACTIVATED_LOCALLY, event))

    context.record([event], _apply)
    return get_bundle(context, bundle_id)


def roll_back(context: AuditContext, principal: Principal, reason: str | None, request_id: str) -> StagedBundle:
    """Make the bundle active again that was active before the present one; a canary retires.

    Raises: NothingToRollBackTo. BundleConflict: the active bundle changed meanwhile.
    """
    before = _registry(context)
    target = get_bundle(context, _previous(before)).bundle
    details = {"from": before.active} if before.active else {}
    event = _event(context, principal, "model-rolled-back", "U", target, details, request_id, reason)

    def _apply(session: Session, index: int) -> None:
        now = fold(store.all_events(session))
        if (now.active, now.previous) != (before.active, target.id):
            raise BundleConflict("The active bundle changed meanwhile; look again.")
        change = _change(index, target, BundleChange.ROLLED_BACK_TO, event)
        store.add_event(session, replace(change, reason=reason))

    context.record([event], _apply)
    return get_bundle(context, target.id)


def serving(context: AuditContext) -> Serving:
    """Which bundles answer now, for whom; what workers go by."""
    with reading(context.sessions) as session:
        registry = fold(store.all_events(session))
        canary, shadow = registry.in_stage(Stage.CANARY), registry.in_stage(Stage.SHADOW)
        named = {one for one in (registry.active, canary, shadow, registry.previous) if one is not None}
        known = store.identities(session, named)

    def _of(bundle_id: str | None) -> ServedBundle | None:
        if bundle_id is None:
            return None
        name, version, digest = known[bundle_id]
        return ServedBundle(id=bundle_id, name=name, version=version, digest=digest)

    return Serving(
        active=_of(registry.active),
        canary=_of(canary),
        canary_percent=registry.percent or 0,
        shadow=_of(shadow),
        previous=_of(registry.previous),
    )


def _registry(context: AuditContext) -> Registry:
    with reading(context.sessions) as session:
        return fold(store.all_events(session))


def _refuse_taken(registry: Registry, bundle_id: str, stage: Stage) -> None:
    if stage not in (Stage.SHADOW, Stage.CANARY):
        return
    if registry.in_stage(stage) not in (None, bundle_id):
        raise StageTaken(f"Another bundle is the {stage}: workers keep one. Promote that one to another stage first.")
    if stage is Stage.CANARY and registry.active in (None, bundle_id):
        raise StageTaken(
            "A canary answers for a share of the patients beside an active bundle, and no other is active."
        )


def _refuse_where_people_decide(session: Session, bundle_id: str) -> None:
    events = store.all_events(session)
    went_back = any(event.change is BundleChange.ROLLED_BACK_TO for event in events)
    activations = (BundleChange.ACTIVE, BundleChange.ACTIVATED_LOCALLY)
    was_active = any(event.bundle_id == bundle_id and event.change in activations for event in events)
    if evidence_store.has_approvals(session) or went_back or was_active:
        raise NoLocalActivation(
            "People decide here which bundle answers: have it approved by two of them, and promote it."
        )


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
    reason: str | None = None,
) -> AuditEvent:
    # A bundle's digest is no patient data: it goes in plainly, so that anyone can compare it with the files.
    details = {"name": bundle.name, "version": bundle.version, "bundleDigest": bundle.digest, **more}
    return context.events.event(
        principal,
        "model",
        subtype,
        action,
        kind="model",
        object_id=bundle.id,
        # A reason is free text, and the log is public: it holds a commitment.
        digest=None if reason is None else digest_json({"reason": reason}),
        request_id=request_id,
        details=details,
    )
