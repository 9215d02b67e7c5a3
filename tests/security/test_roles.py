"""Every route, asked with every role: deny by default, no patient for the admin, no writing for the auditor."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.responses import PlainTextResponse

from shared.access import UnguardedRoute, refuse_unguarded
from shared.auth import Role, anyone, require
from tests.security.conftest import Composed
from tests.security.roles import CONSENT, LOG, MODEL, NOTHING, PAGE, PATIENT, ROUTES, Route, page

REFUSED = {401, 403}


def _found(composed: Composed) -> Iterator[tuple[str, str, str]]:
    for service, app in composed.suite.apps.items():
        for route in iter_route_contexts(app.routes):
            for method in (route.methods or {"MOUNTED"}) - {"HEAD"}:
                yield service, method, str(route.path_format)


def test_the_table_holds_every_route_once(composed: Composed) -> None:
    found, listed = list(_found(composed)), [route.key for route in ROUTES]
    assert len(listed) == len(set(listed))
    assert set(found) - set(listed) == set(), "routes without a line in tests/security/roles.py"
    assert set(listed) - set(found) == set(), "lines without a route"


@pytest.mark.parametrize("caller", [None, *Role])
def test_every_route_refuses_whom_the_table_refuses(composed: Composed, caller: Role | None) -> None:
    headers = {"Authorization": f"Bearer {composed.issuer.mint(caller)}"} if caller else {}
    wrong = {}
    for route in ROUTES:
        if _answered_by_another(route):
            continue
        status = _ask(composed, route, headers)
        expected = route.is_open or caller in route.roles
        # Whoever has no token is told to bring one, whoever has the wrong one that it is the wrong one.
        if (status not in REFUSED) != expected or (not expected and status != (403 if caller else 401)):
            wrong[f"{route.method} {route.path}"] = status
    assert wrong == {}


def _answered_by_another(route: Route) -> bool:
    """In one process the front answers these for all services."""
    return route.service != "front" and route.path in ("/healthz", "/readyz", "/metrics", "/openapi.json")


def _ask(composed: Composed, route: Route, headers: dict[str, str]) -> int:
    path = re.sub(r"\{level\}", "0", route.path)
    path = re.sub(r"\{\w+\}", "1", path)
    content = {"content": b"{}", "headers": {**headers, "Content-Type": "application/json"}}
    options = content if route.method != "GET" else {"headers": headers}
    with composed.http.stream(route.method, path, **options) as answer:
        return answer.status_code


def test_the_admin_is_shown_no_patient_no_consent_and_no_research() -> None:
    shown = {route.shows for route in ROUTES if Role.ADMIN in route.roles}
    assert shown <= {NOTHING, MODEL, LOG}
    logs = {route.path for route in ROUTES if Role.ADMIN in route.roles and route.shows == LOG}
    assert logs == {
        "/audit/producers",
        "/audit/key",
        "/audit/retention",
        "/diagnoses/{diagnosis_id}/replay",
        "/erasures",
        "/erasures/{erasure_id}",
        "/holds",
        "/holds/{hold_id}/release",
        "/models/{model_id}/agreement",
    }


def test_the_auditor_changes_nothing_but_the_log() -> None:
    assert {route.changes for route in ROUTES if Role.AUDITOR in route.roles} <= {NOTHING, LOG}


def test_the_auditor_is_shown_no_evidence_and_no_result() -> None:
    assert PATIENT not in {route.shows for route in ROUTES if Role.AUDITOR in route.roles}


def test_no_person_changes_models_but_the_admin_and_the_admin_nothing_else() -> None:
    for route in ROUTES:
        if route.changes == MODEL:
            assert route.roles <= {Role.ADMIN, Role.SERVICE}, route.path
        if route.changes in (PATIENT, CONSENT):
            assert Role.ADMIN not in route.roles, route.path


def test_the_researcher_sees_no_patient() -> None:
    shown = {route.shows for route in ROUTES if Role.RESEARCHER in route.roles}
    assert not shown & {PATIENT, CONSENT}


def test_doors_for_neighbours_admit_services_alone_and_what_is_open_shows_no_patient() -> None:
    for route in ROUTES:
        if route.path.startswith("/internal/"):
            assert route.roles == {Role.SERVICE}, route.path
        if route.is_open:
            assert (route.shows in (NOTHING, LOG), route.changes) == (True, NOTHING), route.path


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.security.roles"


def test_an_app_with_a_route_that_says_nothing_is_refused() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    router = APIRouter()
    router.add_api_route("/open", lambda: "x", dependencies=[Depends(anyone)])
    router.add_api_route("/guarded", lambda: "x", dependencies=[Depends(require(Role.ADMIN))])
    app.include_router(router)
    refuse_unguarded(app)
    app.add_api_route("/forgotten", lambda: "x")
    with pytest.raises(UnguardedRoute, match="/forgotten"):
        refuse_unguarded(app)


def test_an_app_with_another_app_mounted_is_refused() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.mount("/other", PlainTextResponse("x"))
    with pytest.raises(UnguardedRoute, match="/other"):
        refuse_unguarded(app)
