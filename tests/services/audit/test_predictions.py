"""Every prediction of a version, and how far a shadow agrees."""

from __future__ import annotations

from typing import Any

import pytest
from scipy.stats import binomtest

from services.audit.domain.agreement import share
from shared.auth import Role
from tests.services.audit.support import FULL_CARD, Audit, event

ONE, OTHER = ("sha256:" + digit * 64 for digit in "12")


def _register(audit: Audit, digest: str) -> str:
    body = {"name": "acute-chest", "version": digest[7], "digest": digest, "card": FULL_CARD}
    return str(audit.post("/models", body, Role.SERVICE).json()["id"])


def _released(digest: str, number: int, subtype: str = "diagnosis-released", **details: Any) -> dict[str, Any]:
    return event(
        producer="diagnosis", type="prediction", subtype=subtype, object={"kind": "diagnosis", "id": str(number)},
        details={"bundleDigest": digest, **details},
    )  # fmt: skip


def _ids(page: Any) -> list[str]:
    return [item["leaf"]["event"]["object"]["id"] for item in page["items"]]


def _predictions(audit: Audit, model: str, **query: Any) -> Any:
    answer = audit.get(f"/models/{model}/predictions", **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_prediction_of_a_version_and_no_other_s(audit: Audit) -> None:
    model = _register(audit, ONE)
    audit.append(*(_released((ONE, OTHER)[n % 2], n) for n in range(10)), event())
    assert _ids(_predictions(audit, model)) == ["8", "6", "4", "2", "0"]
    assert _ids(_predictions(audit, model, order="oldest", limit=2)) == ["0", "2"]


def test_what_was_withheld_or_said_in_the_shadow_is_among_them(audit: Audit) -> None:
    model = _register(audit, ONE)
    audit.append(_released(ONE, 1, "diagnosis-withheld"), _released(ONE, 2, "diagnosis-shadowed"))
    assert _ids(_predictions(audit, model)) == ["2", "1"]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_the_pages_see_one_state_of_the_log(audit: Audit, order: str) -> None:
    model = _register(audit, ONE)
    audit.append(*(_released(ONE, n) for n in range(7)))
    page = _predictions(audit, model, order=order, limit=3)
    seen, size = _ids(page), page["checkpoint"]["size"]
    while page["next"]:
        audit.append(_released(ONE, 99))
        page = _predictions(audit, model, order=order, limit=3, cursor=page["next"])
        seen += _ids(page)
        assert page["checkpoint"]["size"] == size
    assert sorted(seen) == [str(n) for n in range(7)]


def test_a_cursor_of_another_model_is_refused(audit: Audit) -> None:
    model, other = _register(audit, ONE), _register(audit, OTHER)
    audit.append(*(_released(ONE, n) for n in range(3)))
    cursor = _predictions(audit, model, limit=1)["next"]
    assert audit.get(f"/models/{other}/predictions", cursor=cursor).status_code == 422


@pytest.mark.parametrize("path", ["predictions", "agreement"])
def test_who_asks_is_logged_and_an_unknown_model_is_not_found(audit: Audit, path: str) -> None:
    model = _register(audit, ONE)
    assert audit.get(f"/models/{model}/{path}").status_code == 200
    (entry,) = audit.get("/audit/entries", subtype=f"model-{path}").json()["items"]
    assert entry["leaf"]["event"]["details"]["model"] == model
    assert audit.get(f"/models/none/{path}").status_code == 404


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.ADMIN, Role.SERVICE])
def test_only_auditors_list_predictions(audit: Audit, role: Role) -> None:
    assert audit.get(f"/models/{_register(audit, ONE)}/predictions", role).status_code == 403


def test_agreement_is_counted_by_the_bundle_beside_which_the_shadow_ran(audit: Audit) -> None:
    model = _register(audit, ONE)
    said = {"beside": OTHER, "sameLeading": True, "sameSet": True, "greatestDifference": "0.25"}
    audit.append(
        _released(ONE, 1, "diagnosis-shadowed", **said),
        _released(ONE, 2, "diagnosis-shadowed", **{**said, "sameLeading": False, "greatestDifference": "0.75"}),
        _released(ONE, 3),
        _released(OTHER, 4, "diagnosis-shadowed", **said),
    )
    (found,) = audit.get(f"/models/{model}/agreement", Role.ADMIN).json()["items"]
    assert (found["beside"], found["n"]) == (OTHER, 2)
    assert (found["sameLeading"]["value"], found["sameSet"]["value"]) == (0.5, 1.0)
    assert (found["meanDifference"], found["greatestDifference"]) == (0.5, 0.75)


@pytest.mark.parametrize(("count", "n"), [(0, 1), (5, 10), (97, 100), (40, 40)])
def test_the_interval_is_wilson_s(count: int, n: int) -> None:
    expected, found = binomtest(count, n).proportion_ci(method="wilson"), share(count, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
