"""What is handed in about a bundle before it may answer. Each piece is a log entry first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.gates import Evidence, EvidenceKind, Gate, GateState, standing_approvals, states_of
from services.audit.domain.registry import Bundle, BundleChange
from services.audit.errors import BundleConflict, GatesNotPassed, NoSuchBundle, OtherBundle, OwnBundle
from services.audit.store import bundles as store
from services.audit.store import evidence as evidence_store
from shared.auth import Principal
from shared.contracts.audit import AuditEvent
from shared.database import reading
from shared.digests import digest_json
from shared.ids import uuid7

SUBTYPES = {
    EvidenceKind.SIGNATURE: "model-signature-checked",
    EvidenceKind.EVALUATION: "model-evaluated",
    EvidenceKind.APPROVAL: "model-approved",
}


def record_signature(
    context: AuditContext, principal: Principal, bundle_id: str, content: dict[str, Any], request_id: str
) -> bool:
    """Keep what came of looking at a bundle's signature; False where the same is what is known already.

    Raises: NoSuchBundle. OtherBundle: it is another bundle's.
    """
    told = {"result": content["result"], "keyId": content["keyId"]}
    return _hand_in(context, principal, bundle_id, EvidenceKind.SIGNATURE, content, told, request_id)


def record_evaluation(
    context: AuditContext, principal: Principal, bundle_id: str, content: dict[str, Any], request_id: str
) -> bool:
    """Keep an evaluation; approvals from before it count no more. False where the very same was handed in before.

    Raises: NoSuchBundle. OtherBundle: it judged another bundle.
    """
    told = {"n": content["n"], "dataDigest": content["dataDigest"]}
    return _hand_in(context, principal, bundle_id, EvidenceKind.EVALUATION, content, told, request_id)


def approve_bundle(
    context: AuditContext, principal: Principal, bundle_id: str, content: dict[str, Any], request_id: str
) -> bool:
    """Keep that a person approves a bundle; False where the same person's approval stands already.

    Raises: NoSuchBundle. OtherBundle: it names another bundle's digest. OwnBundle: this person registered it.
        GatesNotPassed: there is nothing to approve yet. BundleConflict: a new evaluation came meanwhile.
    """
    with reading(context.sessions) as session:
        bundle = _bundle(session, bundle_id)
        if principal.subject == registrant_of(session, bundle_id):
            raise OwnBundle("Who registered a bundle cannot approve it: two other people have to.")
        known = evidence_store.evidence_for(session, bundle_id)
    _refuse(bundle, [s for s in _states(context, bundle, known) if not s.passed and s.gate is not Gate.APPROVALS])
    if any(one.actor == principal.subject for one in standing_approvals(known)):
        return False
    # The log is public: the name stays here, and the entry holds the digest that binds it (21 CFR 11.70).
    told = {"meaning": content["meaning"]}

    def _as_seen(session: Session) -> None:
        if _evaluations(evidence_store.evidence_for(session, bundle_id)) != _evaluations(known):
            raise BundleConflict("A new evaluation came meanwhile; look at it first.")

    return _hand_in(context, principal, bundle_id, EvidenceKind.APPROVAL, content, told, request_id, _as_seen)


def _evaluations(known: Sequence[Evidence]) -> list[int]:
    return [one.index for one in known if one.kind is EvidenceKind.EVALUATION]


def gates_of(context: AuditContext, bundle_id: str) -> tuple[list[Evidence], tuple[GateState, ...]]:
    """What is known of a bundle, and every gate for it. Raises: NoSuchBundle."""
    with reading(context.sessions) as session:
        return known_of(context, session, bundle_id)


def known_of(context: AuditContext, session: Session, bundle_id: str) -> tuple[list[Evidence], tuple[GateState, ...]]:
    """The same within a transaction."""
    bundle, known = _bundle(session, bundle_id), evidence_store.evidence_for(session, bundle_id)
    return known, _states(context, bundle, known)


def check_gates(context: AuditContext, session: Session, bundle: Bundle, required: tuple[Gate, ...]) -> list[Gate]:
    """Which gates are not passed, none of them required.

    Raises: GatesNotPassed: one that is required; all those are named.
    """
    _, states = known_of(context, session, bundle.id)
    open_gates = [state for state in states if not state.passed]
    _refuse(bundle, [state for state in open_gates if state.gate in required])
    return [state.gate for state in open_gates]


def registrant_of(session: Session, bundle_id: str) -> str | None:
    """Who registered a bundle."""
    events = (event for event in store.all_events(session) if event.bundle_id == bundle_id)
    return next((event.actor for event in events if event.change is BundleChange.CANDIDATE), None)


def _states(context: AuditContext, bundle: Bundle, known: list[Evidence]) -> tuple[GateState, ...]:
    return states_of(bundle, known, context.models.subgroup_floor)


def _refuse(bundle: Bundle, missing: list[GateState]) -> None:
    if not missing:
        return
    named = "; ".join(f"{state.gate}: {state.found}" for state in missing)
    raise GatesNotPassed(
        f"{bundle.name} {bundle.version} has not passed {len(missing)} of its gates. {named}.",
        extra={"gates": [{"gate": state.gate.value, "found": state.found, "fix": state.fix} for state in missing]},
    )


def _bundle(session: Session, bundle_id: str) -> Bundle:
    bundle = store.find_bundle(session, bundle_id)
    if bundle is None:
        raise NoSuchBundle("There is no such model bundle.")
    return bundle


def _hand_in(
    context: AuditContext,
    principal: Principal,
    bundle_id: str,
    kind: EvidenceKind,
    content: dict[str, Any],
    told: Mapping[str, Any],
    request_id: str,
    check: Callable[[Session], None] | None = None,
) -> bool:
    """Args: check: what must still hold in the transaction that numbers the entry."""
    with reading(context.sessions) as session:
        bundle = _bundle(session, bundle_id)
        known = _is_known(session, bundle_id, kind, content)
    if content["bundleDigest"] != bundle.digest:
        raise OtherBundle(f"This is about {content['bundleDigest'][:19]}…, and the bundle is {bundle.digest[:19]}….")
    if known:
        return False
    id_ = uuid7()
    event = _event(
        context, principal, bundle, kind, {**told, "evidenceDigest": evidence_digest(id_, content)}, request_id
    )

    def _apply(session: Session, index: int) -> None:
        if check is not None:
            check(session)
        issuer, actor = principal.issuer, principal.subject
        piece = Evidence(index, id_, bundle_id, kind, content, event.occurred_at, issuer, actor)
        evidence_store.add_evidence(session, piece)

    context.record([event], _apply)
    return True


def evidence_digest(id_: str, content: Mapping[str, Any]) -> str:
    """What an entry says of a piece: the id makes it a digest that nobody can guess back to a name."""
    return digest_json({"id": id_, **content})


def _is_known(session: Session, bundle_id: str, kind: EvidenceKind, content: Mapping[str, Any]) -> bool:
    """Of signatures the last word counts; an evaluation is handed in once, however often a worker starts."""
    same_kind = [one.content for one in evidence_store.evidence_for(session, bundle_id) if one.kind is kind]
    if kind is EvidenceKind.SIGNATURE:
        return same_kind[-1:] == [content]
    return kind is EvidenceKind.EVALUATION and content in same_kind


def _event(
    context: AuditContext,
    principal: Principal,
    bundle: Bundle,
    kind: EvidenceKind,
    told: Mapping[str, Any],
    request_id: str,
) -> AuditEvent:
    details = {"name": bundle.name, "version": bundle.version, "bundleDigest": bundle.digest, **told}
    subtype = SUBTYPES[kind]
    return context.events.event(
        principal, "model", subtype, "U", kind="model", object_id=bundle.id, request_id=request_id, details=details
    )
