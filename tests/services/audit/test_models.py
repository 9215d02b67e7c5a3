"""The model registry over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.auth import Role
from tests.services.audit.support import FULL_CARD, Audit, put_through


def _model(version: str, **more: Any) -> dict[str, Any]:
    digest = f"sha256:{int(version.replace('.', '')):064x}"
    return {"name": "acute-chest", "version": version, "digest": digest, "card": FULL_CARD, **more}


def _register(audit: Audit, version: str) -> str:
    model_id: str = audit.post("/models", _model(version), Role.SERVICE).json()["id"]
    return model_id


def _promote(audit: Audit, model_id: str, stage: str) -> Any:
    if stage == "active" and audit.get(f"/models/{model_id}").json()["stage"] != "active":
        put_through(audit, model_id)
    return audit.post(f"/models/{model_id}/promote", {"stage": stage}, Role.ADMIN)


def _active(audit: Audit) -> list[str]:
    return [model["id"] for model in audit.get("/models", stage="active").json()["items"]]


def test_registered_bundle_is_a_candidate(audit: Audit) -> None:
    answer = audit.post("/models", _model("1.0"), Role.ADMIN)
    assert (answer.status_code, answer.json()["stage"]) == (201, "candidate")


def test_the_same_bundle_again_changes_nothing(audit: Audit) -> None:
    first = audit.post("/models", _model("1.0"), Role.SERVICE)
    again = audit.post("/models", _model("1.0"), Role.SERVICE)
    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.parametrize("change", [{"digest": "sha256:" + "f" * 64}, {"version": "1.0.1"}])
def test_clashing_bundle_is_refused(audit: Audit, change: dict[str, str]) -> None:
    _register(audit, "1.0")
    assert audit.post("/models", _model("1.0") | change, Role.SERVICE).status_code == 409


def test_promoting_retires_the_bundle_that_was_active(audit: Audit) -> None:
    old, new = _register(audit, "1.0"), _register(audit, "1.1")
    _promote(audit, old, "active")
    _promote(audit, new, "active")
    assert _active(audit) == [new]
    assert audit.get(f"/models/{old}").json()["stage"] == "retired"


def test_rollback_makes_the_previous_bundle_active(audit: Audit) -> None:
    old, new = _register(audit, "1.0"), _register(audit, "1.1")
    _promote(audit, old, "active")
    _promote(audit, new, "active")
    assert audit.post("/models/rollback", role=Role.ADMIN).json()["id"] == old
    assert _active(audit) == [old]


def test_without_a_previous_bundle_there_is_no_rollback(audit: Audit) -> None:
    _promote(audit, _register(audit, "1.0"), "active")
    assert audit.post("/models/rollback", role=Role.ADMIN).status_code == 409


def test_each_change_of_stage_is_in_the_log(audit: Audit) -> None:
    model_id = _register(audit, "1.0")
    history = _promote(audit, model_id, "active").json()["history"]
    subtypes = [audit.get(f"/audit/entries/{c['index']}").json()["leaf"]["event"]["subtype"] for c in history]
    assert subtypes == ["model-registered", "model-promoted"]


def test_card_is_given_back_as_registered(audit: Audit) -> None:
    card = {"intendedUse": "Demonstration", "auroc": 0.91}
    model_id = audit.post("/models", _model("1.0", card=card), Role.SERVICE).json()["id"]
    assert audit.get(f"/models/{model_id}/card", Role.CLINICIAN).json() == card


def test_promoting_to_the_present_stage_changes_nothing(audit: Audit) -> None:
    model_id = _register(audit, "1.0")
    _promote(audit, model_id, "active")
    assert len(_promote(audit, model_id, "active").json()["history"]) == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"digest": "abc"}, "digest"),
        ({"name": ""}, "name"),
        ({"card": "text"}, "card"),
        ({"card": {"n": 2**60}}, "card"),
    ],
)
def test_malformed_bundle_is_refused_naming_the_field(audit: Audit, change: dict[str, str], field: str) -> None:
    answer = audit.post("/models", _model("1.0") | change, Role.SERVICE)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_unknown_stage_is_refused(audit: Audit) -> None:
    assert _promote(audit, _register(audit, "1.0"), "best").status_code == 422


@pytest.mark.parametrize("path", ["/models/none", "/models/none/card"])
def test_unknown_bundle_is_not_found(audit: Audit, path: str) -> None:
    assert audit.get(path).status_code == 404


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR])
def test_only_admins_and_services_change_the_registry(audit: Audit, role: Role) -> None:
    assert audit.post("/models", _model("1.0"), role).status_code == 403


def test_only_admins_roll_back(audit: Audit) -> None:
    assert audit.post("/models/rollback", role=Role.SERVICE).status_code == 403


def test_card_with_nan_is_refused(audit: Audit) -> None:
    body = json.dumps(_model("1.0", card={"auroc": float("nan")}))
    headers = {**audit.bed.headers(Role.SERVICE), "Content-Type": "application/json"}
    assert audit.client.post("/models", content=body, headers=headers).status_code == 422
