"""The way of a bundle from candidate to active over the wire: evidence, approvals, refusals, the first start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.auth import Role
from tests.services.audit.support import (
    FULL_CARD,
    Audit,
    approve,
    evaluation_of,
    open_audit,
    put_through,
    signature_of,
)
from tests.support.common import TestBed

ALL = ["signature", "source-attributes", "evaluation", "subgroups", "approvals"]


def _register(audit: Audit, version: str = "1.0", **more: Any) -> dict[str, Any]:
    digest = f"sha256:{int(version.replace('.', '')):064x}"
    body = {"name": "acute-chest", "version": version, "digest": digest, "card": FULL_CARD, **more}
    model: dict[str, Any] = audit.post("/models", body, Role.SERVICE).json()
    return model


def _hand_in(audit: Audit, model: dict[str, Any], path: str, body: dict[str, Any], role: Role = Role.SERVICE) -> Any:
    return audit.post(f"/models/{model['id']}/{path}", body, role)


def _promote(audit: Audit, model: dict[str, Any], stage: str, **more: Any) -> Any:
    return audit.post(f"/models/{model['id']}/promote", {"stage": stage, **more}, Role.ADMIN)


def _open_gates(answer: Any) -> list[str]:
    return [one["gate"] for one in answer.json()["gates"]]


@pytest.mark.parametrize("wanted", [{"stage": "active"}, {"stage": "canary", "percent": 5}])
def test_a_refusal_lists_every_gate_and_what_to_do(audit: Audit, wanted: dict[str, Any]) -> None:
    _active(audit)
    answer = _promote(audit, _register(audit, "1.1", card={"use": "demo"}), **wanted)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("gates-not-passed")
    assert _open_gates(answer) == ALL
    assert all(gate["found"] and gate["fix"] for gate in answer.json()["gates"])


def _active(audit: Audit, version: str = "0.9") -> dict[str, Any]:
    model = _register(audit, version)
    put_through(audit, model["id"])
    assert _promote(audit, model, "active").status_code == 200
    return model


def test_a_refused_promotion_leaves_no_entry_and_no_change(audit: Audit) -> None:
    model = _register(audit)
    _promote(audit, model, "active")
    assert audit.get("/audit/entries", subtype="model-promoted").json()["items"] == []
    assert audit.get(f"/models/{model['id']}").json()["stage"] == "candidate"


def test_a_shadow_needs_a_verified_signature_and_no_more(audit: Audit) -> None:
    model = _register(audit, card={})
    assert _open_gates(_promote(audit, model, "shadow")) == ["signature"]
    _hand_in(audit, model, "signature", signature_of(model["digest"], "refused"))
    assert _open_gates(_promote(audit, model, "shadow")) == ["signature"]
    _hand_in(audit, model, "signature", signature_of(model["digest"]))
    assert _promote(audit, model, "shadow").json()["stage"] == "shadow"


def test_with_everything_there_it_becomes_active(audit: Audit) -> None:
    model = _active(audit)
    found = audit.get(f"/models/{model['id']}").json()
    assert [gate["passed"] for gate in found["gates"]] == [True] * 5
    assert [one["kind"] for one in found["evidence"]] == ["signature", "evaluation", "approval", "approval"]


def test_one_person_twice_is_one_approval(audit: Audit) -> None:
    model = _register(audit)
    _hand_in(audit, model, "signature", signature_of(model["digest"]))
    _hand_in(audit, model, "evaluations", evaluation_of(model["digest"]))
    assert [approve(audit, model, "anna").status_code for _ in range(2)] == [201, 200]
    assert _open_gates(_promote(audit, model, "active")) == ["approvals"]


def test_who_registered_a_bundle_cannot_approve_it(audit: Audit) -> None:
    body = {"name": "own", "version": "1", "digest": "sha256:" + "5" * 64, "card": FULL_CARD}
    headers = audit.bed.headers(Role.ADMIN, "anna")
    model = audit.client.post("/models", json=body, headers=headers).json()
    _hand_in(audit, model, "signature", signature_of(model["digest"]))
    _hand_in(audit, model, "evaluations", evaluation_of(model["digest"]))
    refused = approve(audit, model, "anna")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:consilium:problem:own-bundle")


def test_nobody_approves_what_has_not_been_judged(audit: Audit) -> None:
    model = _register(audit)
    assert _open_gates(approve(audit, model, "anna")) == ["signature", "evaluation", "subgroups"]


def test_approvals_from_before_a_new_evaluation_do_not_count(audit: Audit) -> None:
    model = _register(audit)
    put_through(audit, model["id"])
    _hand_in(audit, model, "evaluations", evaluation_of(model["digest"], n=500))
    assert _open_gates(_promote(audit, model, "active")) == ["approvals"]


def test_the_entry_of_an_approval_holds_who_and_what_it_means_and_no_name(audit: Audit) -> None:
    model = _active(audit)
    leaf = audit.get("/audit/entries", subtype="model-approved").json()["items"][0]["leaf"]["event"]
    assert (leaf["actor"]["subject"], leaf["details"]["meaning"]) == ("head-of-it", "approval")
    assert "Dr head-of-it" not in str(leaf)
    shown = audit.get(f"/models/{model['id']}").json()["evidence"][-1]
    assert (shown["content"]["name"], shown["at"][:4]) == ("Dr head-of-it", leaf["occurredAt"][:4])


@pytest.mark.parametrize(
    "role", [Role.SERVICE, Role.EHR_SYSTEM, Role.AUDITOR, Role.RESEARCHER], ids=lambda role: str(role)
)
def test_only_admins_and_clinicians_approve(audit: Audit, role: Role) -> None:
    assert approve(audit, _register(audit), "somebody", role).status_code == 403


def _evidence(path: str, digest: str) -> dict[str, Any]:
    return signature_of(digest) if path == "signature" else evaluation_of(digest)


@pytest.mark.parametrize("path", ["signature", "evaluations"])
def test_people_at_the_bedside_hand_in_no_evidence(audit: Audit, path: str) -> None:
    model = _register(audit)
    body = _evidence(path, model["digest"])
    assert _hand_in(audit, model, path, body, Role.CLINICIAN).status_code == 403


@pytest.mark.parametrize("path", ["signature", "evaluations"])
def test_evidence_about_another_bundle_is_refused(audit: Audit, path: str) -> None:
    body = _evidence(path, "sha256:" + "9" * 64)
    answer = _hand_in(audit, _register(audit), path, body)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:consilium:problem:other-bundle")


def test_the_same_evidence_again_changes_nothing(audit: Audit) -> None:
    model = _register(audit)
    answers = [_hand_in(audit, model, "signature", signature_of(model["digest"])) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert len(answers[1].json()["evidence"]) == 1


def test_an_evaluation_that_is_known_does_not_void_the_approvals_of_a_later_one(audit: Audit) -> None:
    """A worker hands in the card's each time it starts."""
    model = _register(audit)
    _hand_in(audit, model, "evaluations", evaluation_of(model["digest"], dataset="card"))
    put_through(audit, model["id"])
    again = _hand_in(audit, model, "evaluations", evaluation_of(model["digest"], dataset="card"))
    assert (again.status_code, _promote(audit, model, "active").status_code) == (200, 200)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"n": 0}, "n"),
        ({"figures": {}}, "figures"),
        ({"figures": {"macroAuroc": {"value": 0.9, "low": 0.95, "high": 0.9}}}, "figures.macroAuroc"),
        ({"figures": {"macroAuroc": {"value": 0.9}}}, "figures.macroAuroc.low"),
        ({"dataDigest": "abc"}, "dataDigest"),
    ],
)
def test_an_evaluation_without_intervals_or_cases_names_the_field(
    audit: Audit, change: dict[str, Any], field: str
) -> None:
    model = _register(audit)
    answer = _hand_in(audit, model, "evaluations", evaluation_of(model["digest"]) | change)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_a_canary_answers_for_its_share_beside_the_active_bundle(audit: Audit) -> None:
    old, new = _active(audit), _register(audit, "1.1")
    put_through(audit, new["id"])
    assert _promote(audit, new, "canary", percent=10).json()["stage"] == "canary"
    serving = audit.get("/internal/audit/models/serving", Role.SERVICE).json()
    assert (serving["active"]["digest"], serving["canary"]["digest"]) == (old["digest"], new["digest"])
    assert serving["canaryPercent"] == 10
    assert _promote(audit, new, "canary", percent=30).json()["history"][-1]["percent"] == 30
    assert _promote(audit, new, "active").status_code == 200
    after = audit.get("/internal/audit/models/serving", Role.SERVICE).json()
    assert (after["active"]["digest"], after["canary"], after["canaryPercent"]) == (new["digest"], None, 0)
    assert after["previous"]["digest"] == old["digest"]


@pytest.mark.parametrize("reason", ["a\x00b c", "no"])
def test_a_reason_that_cannot_be_kept_names_the_field(audit: Audit, reason: str) -> None:
    answer = _promote(audit, _register(audit), "retired", reason=reason)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "reason")


@pytest.mark.parametrize("wanted", [{"stage": "canary"}, {"stage": "active", "percent": 5}])
def test_a_share_belongs_to_the_canary(audit: Audit, wanted: dict[str, Any]) -> None:
    assert _promote(audit, _register(audit), **wanted).status_code == 422


def test_without_an_active_bundle_there_is_no_canary(audit: Audit) -> None:
    model = _register(audit)
    put_through(audit, model["id"])
    answer = _promote(audit, model, "canary", percent=10)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:consilium:problem:stage-taken")


@pytest.mark.parametrize("wanted", [{"stage": "shadow"}, {"stage": "canary", "percent": 5}])
def test_a_second_shadow_or_canary_is_refused(audit: Audit, wanted: dict[str, Any]) -> None:
    _active(audit)
    first, second = _register(audit, "1.1"), _register(audit, "1.2")
    for model in (first, second):
        put_through(audit, model["id"])
    assert [_promote(audit, model, **wanted).status_code for model in (first, second)] == [200, 409]


def test_a_rollback_ends_the_canary_and_says_why(audit: Audit) -> None:
    old, new, newest = _active(audit), _active(audit, "1.0"), _register(audit, "1.1")
    put_through(audit, newest["id"])
    _promote(audit, newest, "canary", percent=10)
    answer = audit.post("/models/rollback", {"reason": "Alarms doubled."}, Role.ADMIN).json()
    assert (answer["id"], answer["history"][-1]["reason"]) == (old["id"], "Alarms doubled.")
    stages = {model["id"]: model["stage"] for model in audit.get("/models").json()["items"]}
    assert stages == {old["id"]: "active", new["id"]: "retired", newest["id"]: "retired"}
    event = audit.get("/audit/entries", subtype="model-rolled-back").json()["items"][0]["leaf"]
    assert "Alarms" not in str(event)


@pytest.fixture
def own_machine(bed: TestBed) -> Iterator[Audit]:
    """A suite whose operator may activate the bundle that it came with."""
    with open_audit(bed, model_local_activation=True) as running:
        yield running


def _activate_locally(audit: Audit, model: dict[str, Any]) -> Any:
    return audit.post(f"/models/{model['id']}/local-activation", role=Role.SERVICE)


def test_local_activation_is_off_unless_it_is_permitted(audit: Audit) -> None:
    model = _register(audit)
    _hand_in(audit, model, "signature", signature_of(model["digest"]))
    answer = _activate_locally(audit, model)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:consilium:problem:no-local-activation")


def test_local_activation_is_an_event_of_its_own_that_names_the_open_gates(own_machine: Audit) -> None:
    model = _register(own_machine)
    assert _open_gates(_activate_locally(own_machine, model)) == ["signature"]
    _hand_in(own_machine, model, "signature", signature_of(model["digest"]))
    answer = _activate_locally(own_machine, model).json()
    assert (answer["stage"], answer["history"][-1]["change"]) == ("active", "activated-locally")
    (entry,) = own_machine.get("/audit/entries", subtype="model-activated-locally").json()["items"]
    assert entry["leaf"]["event"]["details"]["openGates"] == ["evaluation", "subgroups", "approvals"]
    assert _activate_locally(own_machine, model).json() == answer


def test_a_later_version_is_activated_locally_while_nobody_has_decided(own_machine: Audit) -> None:
    for version in ("1.0", "1.1"):
        model = _register(own_machine, version)
        _hand_in(own_machine, model, "signature", signature_of(model["digest"]))
        assert _activate_locally(own_machine, model).json()["stage"] == "active"


@pytest.mark.parametrize("decided", ["approved", "rolled back", "was active"])
def test_where_people_have_decided_nothing_is_activated_locally(own_machine: Audit, decided: str) -> None:
    models = [_register(own_machine, version) for version in ("1.0", "1.1", "1.2")]
    for model in models:
        _hand_in(own_machine, model, "signature", signature_of(model["digest"]))
    for model in models[:2]:
        _activate_locally(own_machine, model)
    if decided == "approved":
        _hand_in(own_machine, models[2], "evaluations", evaluation_of(models[2]["digest"]))
        assert approve(own_machine, models[2], "anna").status_code == 201
    if decided == "rolled back":
        own_machine.post("/models/rollback", role=Role.ADMIN)
    again = models[0] if decided == "was active" else models[2]
    assert _activate_locally(own_machine, again).status_code == 409
