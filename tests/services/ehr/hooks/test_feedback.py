"""CDS Hooks: what became of a card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.ehr import store
from shared.auth import Role
from tests.services.ehr.hooks.test_hooks import SERVICE, cards
from tests.support.ehr_neighbours import Door, succeeded

FEEDBACK = SERVICE + "/feedback"
WHEN = "2026-03-14T10:00:00Z"


def overridden(card: str, /, **changes: Any) -> dict[str, Any]:
    """One answer: not followed, and why."""
    reason = {"reason": {"code": "already-known", "system": "urn:consilium:override-reasons"}, "userComment": "treated"}
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": WHEN, "overrideReason": reason} | changes


def kept(door: Door, card: str) -> Sequence[store.CardFeedback]:
    """What is stored of a card."""
    app: Any = door.client.app
    with app.state.runtime.sessions.begin() as session:
        return store.feedback_of(session, card)


@pytest.fixture
def card(door: Door) -> str:
    """A card that was shown."""
    door.ward.results.append(succeeded("MRN-7", id="result-1"))
    return str(cards(door)[0]["uuid"])


def test_feedback_is_kept(door: Door, card: str) -> None:
    assert door.post(FEEDBACK, {"feedback": [overridden(card)]}).status_code == 200
    (feedback,) = kept(door, card)
    assert (feedback.outcome, feedback.comment) == ("overridden", "treated")
    assert feedback.reason == {"code": "already-known", "system": "urn:consilium:override-reasons"}


def test_the_same_feedback_again_changes_nothing(door: Door, card: str) -> None:
    for _ in range(3):
        assert door.post(FEEDBACK, {"feedback": [overridden(card)]}).status_code == 200
    assert len(kept(door, card)) == 1
    assert [e.type for e in door.events()] == ["read", "feedback"]


def test_a_changed_mind_is_kept_beside_the_first(door: Door, card: str) -> None:
    door.post(FEEDBACK, {"feedback": [overridden(card)]})
    accepted = overridden(card, outcome="accepted", acceptedSuggestions=[{"id": "s-1"}])
    del accepted["overrideReason"]
    door.post(FEEDBACK, {"feedback": [accepted]})
    assert [f.outcome for f in kept(door, card)] == ["overridden", "accepted"]


def test_feedback_may_be_of_several_cards(door: Door, card: str) -> None:
    door.post(FEEDBACK, {"feedback": [overridden(card), overridden("another")]})
    assert [len(kept(door, one)) for one in (card, "another")] == [1, 1]


def test_feedback_is_an_audit_event_of_the_result_without_the_comment(door: Door, card: str) -> None:
    door.post(FEEDBACK, {"feedback": [overridden(card)]}, Role.CLINICIAN)
    shown, answered = door.events()
    assert answered.object is not None
    assert (answered.subtype, answered.object.id) == ("cds-card-feedback", "result-1")
    assert answered.subject_ref == shown.subject_ref
    assert "treated" not in answered.model_dump_json()


def test_two_clinicians_may_say_the_same(door: Door, card: str) -> None:
    for subject in ("dr-a", "dr-b"):
        headers = door.bed.headers(Role.CLINICIAN, subject)
        door.client.post(FEEDBACK, json={"feedback": [overridden(card)]}, headers=headers)
    assert [f.actor for f in kept(door, card)] == ["dr-a", "dr-b"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outcome": "ignored"}, "feedback.0.outcome"),
        ({"outcome": "accepted"}, "feedback.0"),
        ({"outcome": "accepted", "acceptedSuggestions": [{}]}, "feedback.0.acceptedSuggestions.0.id"),
        ({"outcomeTimestamp": "yesterday"}, "feedback.0.outcomeTimestamp"),
        ({"outcomeTimestamp": "2026-03-14T10:00:00"}, "feedback.0.outcomeTimestamp"),
        ({"overrideReason": {}}, "feedback.0.overrideReason"),
        ({"overrideReason": {"reason": {"display": "no code"}}}, "feedback.0.overrideReason.reason.code"),
        ({"card": ""}, "feedback.0.card"),
    ],
)
def test_malformed_feedback_is_told_field_and_fix(door: Door, change: dict[str, Any], field: str) -> None:
    answer = door.post(FEEDBACK, {"feedback": [overridden("c-1", **change)]})
    assert answer.status_code == 400
    assert [(e["field"], bool(e["fix"])) for e in answer.json()["errors"]] == [(field, True)]


def test_one_malformed_answer_keeps_none(door: Door) -> None:
    body = {"feedback": [overridden("c-1"), overridden("c-2", outcome="ignored")]}
    assert door.post(FEEDBACK, body).status_code == 400
    assert kept(door, "c-1") == []


def test_empty_feedback_is_refused(door: Door) -> None:
    assert door.post(FEEDBACK, {"feedback": []}).status_code == 400


def test_feedback_on_an_unknown_service_is_not_found(door: Door) -> None:
    assert door.post("/cds-services/other/feedback", {"feedback": [overridden("c-1")]}).status_code == 404


@pytest.mark.parametrize("name", ["feedback-index-22", "feedback-index-23"])
def test_the_specifications_examples_are_kept(door: Door, reference_data: Path, name: str) -> None:
    example = json.loads((reference_data / f"interop/cds-hooks/{name}.json").read_text())
    assert door.post(FEEDBACK, example).status_code == 200
    assert len(kept(door, example["feedback"][0]["card"])) == 1
