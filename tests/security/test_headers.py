"""Headers of answers: of all routes, of refusals, and of the pages that a browser opens."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
import structlog
from fastapi import FastAPI
from playwright.sync_api import expect

from services.suite import gateway
from services.suite.services import SERVICES
from shared.auth import Role
from shared.headers import DEFAULTS
from shared.web import build_runtime, create_service_app
from tests.security.conftest import Composed
from tests.security.roles import NOTHING, ROUTES
from tests.support.browser import open_browser, watch_for_errors
from tests.support.common import TestBed, make_test_bed
from tests.support.servers import serve


def _ask(composed: Composed, method: str, path: str, role: Role | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {composed.issuer.mint(role)}"} if role else {}
    path = re.sub(r"\{\w+\}", "1", path.replace("{level}", "0"))
    return composed.http.request(method, path, headers=headers, json=None if method == "GET" else {})


@pytest.mark.parametrize("role", [None, Role.CLINICIAN])
def test_every_answer_has_every_header(composed: Composed, role: Role | None) -> None:
    for route in ROUTES:
        answer = _ask(composed, route.method, route.path, role)
        missing = {name.decode() for name in DEFAULTS} - {name.lower() for name in answer.headers}
        assert missing == set(), (route.path, missing)


def test_what_shows_a_patient_is_not_kept(composed: Composed) -> None:
    for route in ROUTES:
        if route.shows not in (NOTHING, "log", "model"):
            answer = _ask(composed, route.method, route.path, Role.CLINICIAN)
            assert "no-store" in answer.headers["cache-control"], route.path


def test_what_nobody_has_and_what_is_too_long_have_them_too(composed: Composed) -> None:
    for answer in (composed.http.get("/nothing-here"), composed.http.post("/diagnoses", content=b" " * 2_000_000)):
        assert answer.status_code in (404, 413)
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_behind_tls_browsers_are_told_to_stay_there(bed: TestBed) -> None:
    with serve(_app(bed)) as url:
        assert "strict-transport-security" not in httpx.get(f"{url}/healthz", trust_env=False).headers
    secured = bed.common.model_copy(update={"hsts_s": 31_536_000})
    with serve(_app(TestBed(bed.directory, bed.issuer, secured))) as url:
        headers = httpx.get(f"{url}/healthz", trust_env=False).headers
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


def _app(bed: TestBed) -> FastAPI:
    return create_service_app("things", build_runtime("things", bed.common, "sqlite://", None), [], description="x")


@pytest.fixture
def front_door(composed: Composed, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The gateway before the composed suite."""
    for service in SERVICES:
        monkeypatch.setenv(f"CONSILIUM_{service.name.upper()}_URL", str(composed.http.base_url))
    with serve(gateway.create_app()) as url:
        yield url
    structlog.reset_defaults()


def test_the_gateway_hands_on_headers_once(front_door: str) -> None:
    answer = httpx.get(f"{front_door}/diagnoses", trust_env=False)
    assert answer.status_code == 401
    for name in DEFAULTS:
        assert len(answer.headers.get_list(name.decode())) == 1, name


def test_a_runaway_client_is_told_to_wait_and_its_neighbour_is_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    bed = make_test_bed(tmp_path_factory.mktemp("limited"), rate_limit_per_s="0.2")
    with serve(_app(bed)) as url, httpx.Client(base_url=url, trust_env=False) as http:
        ada, grace = (bed.headers(Role.ADMIN, subject=name) for name in ("ada", "grace"))
        statuses = [http.get("/metrics", headers=ada).status_code for _ in range(4)]
        refusal = http.get("/metrics", headers=ada)
        assert statuses == [200, 200, 429, 429]
        assert refusal.headers["content-type"] == "application/problem+json"
        assert int(refusal.headers["retry-after"]) > 0
        assert http.get("/metrics", headers=grace).status_code == 200


@pytest.mark.e2e
def test_the_contract_page_works_under_its_policy(composed: Composed) -> None:
    with open_browser() as browser:
        page = browser.new_page()
        problems = watch_for_errors(page)
        page.goto(f"{composed.http.base_url}/docs")
        expect(page.get_by_role("heading", name=re.compile("Consilium"))).to_be_visible()
        expect(page.get_by_text("/fhir/metadata", exact=True)).to_be_visible()
        assert problems == []
