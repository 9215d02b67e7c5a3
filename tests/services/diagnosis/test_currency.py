"""What tells that a case would consist of other evidence now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.diagnosis.currency import Change, Happening, as_json, changes, from_json
from services.diagnosis.snapshot import Manifest, freeze
from shared.contracts.audit import ConsentBasis
from shared.contracts.base import Modality
from shared.contracts.evidence import EvidenceRef

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERMIT = ConsentBasis(decision="permit", reason="active", consent_ids=["c-1"])
DENY = ConsentBasis(decision="deny", reason="none")
EVERY = tuple(Modality)


def _ref(kind: Modality, key: str, hours_ago: float, digest: str | None = None, **quality: Any) -> EvidenceRef:
    at = NOON - timedelta(hours=hours_ago)
    return EvidenceRef(
        id=key, kind=kind, digest=digest or f"sha256:{key}", effective_at=at, received_at=at, quality=quality
    )


FILM = _ref(Modality.IMAGE, "film", 5)
NOTE = _ref(Modality.NOTE, "note", 4, status="current")
WINDOW = _ref(Modality.VITALS, "window", 0)
KNOWN: dict[Modality, tuple[EvidenceRef, ...]] = {
    Modality.IMAGE: (FILM,),
    Modality.NOTE: (NOTE,),
    Modality.VITALS: (WINDOW,),
}


def _frozen(known: dict[Modality, tuple[EvidenceRef, ...]] = KNOWN, denied: Modality | None = None) -> Manifest:
    consents = {kind: DENY if kind is denied else PERMIT for kind in EVERY}
    return freeze("pat-1", NOON, EVERY, known, consents)


def test_the_same_evidence_is_no_change() -> None:
    assert changes(_frozen(), KNOWN) == ()


@pytest.mark.parametrize(
    ("kind", "now", "expected"),
    [
        (Modality.IMAGE, (FILM, _ref(Modality.IMAGE, "second film", 6)), (Happening.ARRIVED_LATE, "second film")),
        (Modality.NOTE, (NOTE, _ref(Modality.NOTE, "late note", 30)), (Happening.ARRIVED_LATE, "late note")),
        (Modality.NOTE, (_ref(Modality.NOTE, "note", 4, status="superseded"),), (Happening.REPLACED, "note")),
        (Modality.NOTE, (_ref(Modality.NOTE, "note", 4, status="cancelled"),), (Happening.CANCELLED, "note")),
        (Modality.NOTE, (), (Happening.GONE, "note")),
        (Modality.VITALS, (_ref(Modality.VITALS, "other window", 0),), (Happening.ARRIVED_LATE, "window")),
        (Modality.VITALS, (), (Happening.GONE, "window")),
    ],
)
def test_each_change_is_named(kind: Modality, now: tuple[EvidenceRef, ...], expected: tuple[Happening, str]) -> None:
    assert changes(_frozen(), {**KNOWN, kind: now}) == (Change(kind, *expected),)


@pytest.mark.parametrize("kind", EVERY)
def test_a_modality_that_was_missing_and_came_late_is_named(kind: Modality) -> None:
    before = {**KNOWN, kind: ()}
    assert changes(_frozen(before), KNOWN) == (Change(kind, Happening.ARRIVED_LATE, KNOWN[kind][0].id),)


def test_what_would_not_be_used_is_no_change() -> None:
    later = replace_time(NOTE, "later", hours_ago=-1)
    old = _ref(Modality.NOTE, "last month", 24 * 30)
    assert changes(_frozen(), {**KNOWN, Modality.NOTE: (later, NOTE, old)}) == ()


FOREIGN = _ref(Modality.NOTE, "foreign", 3, status="current", language="es")


def test_a_late_note_in_another_language_is_no_change() -> None:
    assert changes(_frozen(), {**KNOWN, Modality.NOTE: (FOREIGN, NOTE)}) == ()


def test_a_note_that_was_set_aside_and_replaced_is_no_change() -> None:
    replaced = FOREIGN.model_copy(update={"quality": {**FOREIGN.quality, "status": "superseded"}})
    manifest = _frozen({**KNOWN, Modality.NOTE: (FOREIGN, NOTE)})
    assert changes(manifest, {**KNOWN, Modality.NOTE: (replaced, NOTE)}) == ()


def replace_time(ref: EvidenceRef, key: str, *, hours_ago: float) -> EvidenceRef:
    return ref.model_copy(update={"id": key, "effective_at": NOON - timedelta(hours=hours_ago)})


def test_of_a_modality_without_consent_nothing_is_said() -> None:
    late = _ref(Modality.IMAGE, "second film", 6)
    assert changes(_frozen(denied=Modality.IMAGE), {**KNOWN, Modality.IMAGE: (FILM, late)}) == ()


def test_a_case_that_asked_for_one_modality_is_compared_in_that_alone() -> None:
    manifest = replace(_frozen(), requested=(Modality.NOTE,))
    assert changes(manifest, {**KNOWN, Modality.IMAGE: ()}) == ()


def test_a_change_survives_its_row() -> None:
    change = Change(Modality.NOTE, Happening.REPLACED, "note")
    assert from_json(as_json(change)) == change
