"""What a bundle must have before it may answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.audit.domain.gates import (
    REQUIRED,
    SOURCE_ATTRIBUTES,
    Evidence,
    EvidenceKind,
    Gate,
    GateState,
    states_of,
)
from services.audit.domain.registry import Bundle, Stage
from services.diagnosis.bundle.source_attributes import attribute_ids
from tests.services.audit.support import FULL_CARD, evaluation_of, signature_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
FLOOR = 0.7


def _bundle(card: dict[str, Any] = FULL_CARD) -> Bundle:
    return Bundle("b", "acute-chest", "1.0", DIGEST, card, AT)


def _evidence(*pieces: tuple[str, dict[str, Any], str]) -> list[Evidence]:
    return [
        Evidence(n, str(n), "b", EvidenceKind(kind), content, AT, "issuer", actor)
        for n, (kind, content, actor) in enumerate(pieces)
    ]


def _state(gate: Gate, evidence: list[Evidence], card: dict[str, Any] = FULL_CARD) -> GateState:
    return next(state for state in states_of(_bundle(card), evidence, FLOOR) if state.gate is gate)


def test_the_numbers_of_the_attributes_are_the_rule_s() -> None:
    assert attribute_ids() == SOURCE_ATTRIBUTES
    assert len(SOURCE_ATTRIBUTES) == 31


def test_all_gates_stand_before_an_answer_to_a_patient_and_the_signature_before_a_shadow() -> None:
    assert {stage: REQUIRED[stage] for stage in (Stage.CANARY, Stage.ACTIVE)} == dict.fromkeys(
        (Stage.CANARY, Stage.ACTIVE), tuple(Gate)
    )
    assert REQUIRED[Stage.SHADOW] == (Gate.SIGNATURE,)


def test_nothing_known_passes_nothing_and_says_what_to_do() -> None:
    states = states_of(_bundle({}), [], FLOOR)
    assert [state.passed for state in states] == [False] * 5
    assert all(state.found and state.fix for state in states)


def test_the_last_word_on_the_signature_counts() -> None:
    known = [("signature", signature_of(DIGEST), "w"), ("signature", signature_of(DIGEST, "refused"), "w")]
    assert _state(Gate.SIGNATURE, _evidence(*known[:1])).passed
    assert not _state(Gate.SIGNATURE, _evidence(*known)).passed


def _card(id_: str, text: str | None) -> dict[str, Any]:
    """The shipped card with another answer to one attribute; None leaves it out."""
    categories = [
        {"attributes": [
            {**one, "text": text} if one["id"] == id_ else one
            for one in category["attributes"] if text is not None or one["id"] != id_
        ]}
        for category in FULL_CARD["sourceAttributes"]["categories"]
    ]  # fmt: skip
    return {"sourceAttributes": {"categories": categories}}


@pytest.mark.parametrize("text", ["", "  ", "not done:", "not done: ", None])
def test_an_attribute_without_text_or_reason_is_named(text: str | None) -> None:
    state = _state(Gate.SOURCE_ATTRIBUTES, [], _card("8.ii", text))
    assert (state.passed, state.found) == (False, "1 of 31 are neither stated nor excused: 8.ii")


def test_a_reason_in_place_of_an_answer_passes() -> None:
    assert _state(Gate.SOURCE_ATTRIBUTES, [], _card("8.ii", "not done: it is in use nowhere")).passed


@pytest.mark.parametrize("card", [{"sourceAttributes": "none"}, {"sourceAttributes": {"categories": [1, {}]}}])
def test_a_card_of_another_form_has_no_attributes(card: dict[str, Any]) -> None:
    assert not _state(Gate.SOURCE_ATTRIBUTES, [], card).passed


def _groups(*lows: float | None) -> dict[str, Any]:
    return evaluation_of(DIGEST, subgroups=[
        {"attribute": "age", "group": str(n), "n": 40,
         "figures": {} if low is None else {"macroAuroc": {"value": 0.95, "low": low, "high": 0.99}}}
        for n, low in enumerate(lows)
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("lows", "passed"),
    [((0.7, 0.9), True), ((0.7, 0.9, None), True), ((0.69, 0.9), False), ((0.9, None), False), ((), False)],
)
def test_every_judged_group_s_interval_must_reach_the_floor(lows: tuple[float | None, ...], passed: bool) -> None:
    assert _state(Gate.SUBGROUPS, _evidence(("evaluation", _groups(*lows), "w"))).passed is passed


def test_two_different_people_must_approve() -> None:
    seen = [("evaluation", evaluation_of(DIGEST), "w"), ("approval", {}, "anna"), ("approval", {}, "anna")]
    assert not _state(Gate.APPROVALS, _evidence(*seen)).passed
    assert _state(Gate.APPROVALS, _evidence(*seen, ("approval", {}, "bert"))).passed


def test_a_new_evaluation_wants_new_approvals() -> None:
    seen = [("evaluation", evaluation_of(DIGEST), "w"), ("approval", {}, "anna"), ("approval", {}, "bert")]
    assert not _state(Gate.APPROVALS, _evidence(*seen, ("evaluation", _groups(0.8, 0.8), "w"))).passed
