"""Asking for erasures, and holding them up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.erasure import OWN, Erasure, Hold
from services.audit.errors import AlreadyErased, NoSuchErasure, NoSuchHold
from services.audit.store import erasures as store
from shared.auth import Principal
from shared.database import reading
from shared.digests import digest_json
from shared.errors import FieldProblem, InvalidInput
from shared.ids import uuid7


@dataclass(frozen=True)
class NewHold:
    """Whose data must be kept, why, and who answers for it."""

    patient: str
    reason: str
    owner: str


def request_erasure(
    context: AuditContext, principal: Principal, patient: str, reason: str, request_id: str
) -> tuple[Erasure, bool]:
    """The erasure of a patient, and whether it is a new one: while one waits or runs, asking again gives that.

    Returns when the request is in the log; the erasure itself follows, or waits for a legal hold.
    Raises: InvalidInput: the reason names the patient.
    """
    _check_words("reason", reason, patient)
    erasure = Erasure(
        id=uuid7(), subject_ref=_subject_ref(context, patient), patient=patient, reason=reason,
        issuer=principal.issuer, subject=principal.subject, requested_at=context.clock(),
    )  # fmt: skip
    event = context.events.event(
        principal, "erasure", "erasure-requested", "C", patient=patient, kind="erasure", object_id=erasure.id,
        digest=digest_json({"reason": reason}), request_id=request_id,
    )  # fmt: skip

    def _apply(session: Session, index: int) -> Erasure:
        if store.unfinished_of(session, erasure.subject_ref) is not None:
            raise AlreadyErased("This was asked for before.")
        held = bool(store.standing_holds(session, erasure.subject_ref))
        store.add_erasure(
            session,
            replace(erasure, state="held" if held else "running", index=index),
            [*context.erasure_services, OWN],
        )
        return _found(session, erasure.id)

    try:
        _, asked = context.record([event], _apply)
    except AlreadyErased:
        return _present(context, erasure), False
    context.wake_erasing()
    new: Erasure = asked
    return new, True


def _present(context: AuditContext, asked: Erasure) -> Erasure:
    """The erasure that was asked for before. It may have been finished this very moment: that is as good."""
    with reading(context.sessions) as session:
        known = store.newest_of(session, asked.subject_ref)
    if known is None:
        raise NoSuchErasure("There is no such erasure.")
    return known


def get_erasure(
    context: AuditContext, principal: Principal, erasure_id: str, request_id: str
) -> tuple[Erasure, list[Hold]]:
    """One erasure with its receipts, and the holds that it waits for; who asked is logged before the answer.

    Raises: NoSuchErasure.
    """
    with reading(context.sessions) as session:
        erasure = _found(session, erasure_id)
        holds = store.standing_holds(session, erasure.subject_ref) if erasure.state == "held" else []
    event = context.events.event(
        principal, "query", "erasure-read", "R", subject_ref=erasure.subject_ref, kind="erasure", object_id=erasure_id,
        request_id=request_id,
    )  # fmt: skip
    context.record([event])
    return erasure, holds


def place_hold(context: AuditContext, principal: Principal, wanted: NewHold, request_id: str) -> Hold:
    """Keep a patient's data: an erasure that has not begun waits until every hold is released.

    Raises: InvalidInput: the words name the patient.
    """
    _check_words("reason", wanted.reason, wanted.patient)
    _check_words("owner", wanted.owner, wanted.patient)
    hold = Hold(
        id=uuid7(), subject_ref=_subject_ref(context, wanted.patient), reason=wanted.reason, owner=wanted.owner,
        issuer=principal.issuer, subject=principal.subject, placed_at=context.clock(), index=-1,
    )  # fmt: skip
    event = context.events.event(
        principal, "erasure", "hold-placed", "C", patient=wanted.patient, kind="hold", object_id=hold.id,
        digest=digest_json({"reason": hold.reason, "owner": hold.owner}), request_id=request_id,
    )  # fmt: skip

    def _apply(session: Session, index: int) -> Hold:
        numbered = replace(hold, index=index)
        store.add_hold(session, numbered)
        return numbered

    _, placed = context.record([event], _apply)
    kept: Hold = placed
    return kept


def release_hold(context: AuditContext, principal: Principal, hold_id: str, request_id: str) -> Hold:
    """End a hold; erasures that waited for it alone are carried out now. Releasing again changes nothing.

    Raises: NoSuchHold.
    """
    with reading(context.sessions) as session:
        hold = _hold(session, hold_id)
    if hold.released_at is not None:
        return hold
    event = context.events.event(
        principal, "erasure", "hold-released", "U", subject_ref=hold.subject_ref, kind="hold", object_id=hold.id,
        request_id=request_id,
    )  # fmt: skip

    def _apply(session: Session, _: int) -> Hold:
        if _hold(session, hold_id).released_at is not None:
            raise AlreadyErased("This hold was released before.")
        store.release_hold(session, hold_id, principal.subject, event.occurred_at)
        waiting = store.unfinished_of(session, hold.subject_ref)
        if waiting is not None and not store.standing_holds(session, hold.subject_ref):
            store.set_state(session, [waiting.id], "running")
        return _hold(session, hold_id)

    try:
        _, released = context.record([event], _apply)
    except AlreadyErased:
        with reading(context.sessions) as session:
            return _hold(session, hold_id)
    context.wake_erasing()
    ended: Hold = released
    return ended


def list_holds(context: AuditContext, principal: Principal, request_id: str) -> Sequence[Hold]:
    """The holds that stand, oldest first; who asked is logged before the answer."""
    context.record([context.events.event(principal, "query", "holds-listed", "R", request_id=request_id)])
    with reading(context.sessions) as session:
        return store.standing_holds(session)


def _subject_ref(context: AuditContext, patient: str) -> str:
    return context.events.pseudonyms.patient(context.tenant, patient)


def _check_words(field: str, words: str, patient: str) -> None:
    """These words outlive the patient's data."""
    if re.search(rf"(?<!\w){re.escape(patient)}(?!\w)", words, re.IGNORECASE):
        problem = FieldProblem(field, "names the patient", "say why without saying who: it is kept after the erasure")
        raise InvalidInput(f"The {field} names the patient.", fields=[problem])


def _found(session: Session, erasure_id: str) -> Erasure:
    erasure = store.find_erasure(session, erasure_id)
    if erasure is None:
        raise NoSuchErasure("There is no such erasure.")
    return erasure


def _hold(session: Session, hold_id: str) -> Hold:
    hold = store.find_hold(session, hold_id)
    if hold is None:
        raise NoSuchHold("There is no such hold.")
    return hold
