"""A clinician signs in at a real OIDC server (`oidc-provider`), in a real browser, and works with a real suite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from services.review.settings import UI
from tests.support.browser import open_browser, watch_for_errors
from tests.support.oidc_provider import PASSWORD, HospitalServer, hospital_server
from tests.support.suite import free_port_block, running_suite, until

pytestmark = pytest.mark.e2e

BUTTON = "Sign in with your hospital account"


@dataclass(frozen=True)
class Hospital:
    """The suite's page, the server that knows its people, and a browser that knows nobody yet."""

    page_url: str
    server: HospitalServer
    context: BrowserContext


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, HospitalServer]]:
    if not (UI / "dist" / "index.html").is_file():
        pytest.skip("the UI is not built; run `make ui`")
    directory, port = tmp_path_factory.mktemp("sign-in"), free_port_block(11)
    page, issuer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 10}"
    environment = {"CONSILIUM_OIDC_ISSUER": issuer, "CONSILIUM_OIDC_JWKS_URL": f"{issuer}/jwks"}
    with (
        hospital_server(port + 10, page, directory / "oidc.log") as server,
        running_suite(directory / "data", environment=environment, port=port),
    ):
        yield page, server


@pytest.fixture
def hospital(house: tuple[str, HospitalServer]) -> Iterator[Hospital]:
    with open_browser() as browser:
        context = browser.new_context()
        yield Hospital(*house, context)
        context.close()


def _give_name(page: Page, name: str, password: str = PASSWORD) -> None:
    """Sign in through the server's own form."""
    page.get_by_role("button", name=BUTTON).click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _token(page: Page) -> str | None:
    found: str | None = page.evaluate("sessionStorage.getItem('consilium.token')")
    return found


def _send_note(suite: str, token: str | None, patient: str) -> None:
    """Evidence, without which nobody may ask for a diagnosis."""
    note = {
        "patient": patient,
        "authored": "2026-03-14T09:30:00Z",
        "type": "34117-2",
        "text": "HISTORY: Fever and cough.",
    }
    headers = {"Authorization": f"Bearer {token}"}
    httpx.post(f"{suite}/notes", json=note, headers=headers, timeout=60, trust_env=False).raise_for_status()


def _addresses(page: Page) -> list[str]:
    """Every address that this tab's history holds, other origins' too."""
    history = page.context.new_cdp_session(page).send("Page.getNavigationHistory")
    return [entry["url"] for entry in history["entries"]]


def test_a_clinician_signs_in_works_is_renewed_and_signs_out(hospital: Hospital) -> None:
    page = hospital.context.new_page()
    problems = watch_for_errors(page)
    page.goto(hospital.page_url)
    _give_name(page, "grace")
    expect(page.get_by_role("heading", name="Work-list")).to_be_visible()
    expect(page.get_by_role("banner")).to_contain_text("Dr grace clinician")
    expect(page).to_have_url(f"{hospital.page_url}/#/")

    _send_note(hospital.page_url, _token(page), "SIGN-IN-1")
    page.get_by_label("Patient id").fill("SIGN-IN-1")
    page.get_by_role("button", name="New diagnosis").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("SIGN-IN-1")
    case = page.url

    first = _token(page)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("SIGN-IN-1")
    until(lambda: _token(page) not in (None, first), 60, "a renewed token")
    assert hospital.server.count(grant="refresh_token") > 0
    # The next request is made with the new one.
    page.get_by_role("link", name="Consilium").click()
    expect(page.get_by_role("link", name="SIGN-IN-1")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_contain_text("signed out, here and at your hospital’s server")
    assert page.evaluate("sessionStorage.length") == 0
    assert [url for url in _addresses(page) if re.search(r"token|code=|state=", url)] == []

    # The server knows nobody any more, and a link to a case leads through its form to the case.
    page.goto(case)
    _give_name(page, "grace")
    expect(page.get_by_role("heading", level=1)).to_contain_text("SIGN-IN-1")
    expect(page).to_have_url(case)
    assert problems == []


def test_a_role_that_the_page_is_not_for_is_told_so_and_can_make_room(hospital: Hospital) -> None:
    page = hospital.context.new_page()
    page.goto(hospital.page_url)
    _give_name(page, "linus")
    expect(page.get_by_role("alert")).to_contain_text("no role for this page")
    assert _token(page) is None
    page.get_by_role("button", name="Sign out and use another account").click()
    _give_name(page, "grace")
    expect(page.get_by_role("heading", name="Work-list")).to_be_visible()


def test_whoever_is_not_let_in_is_told_so_and_keeps_the_way(hospital: Hospital) -> None:
    page = hospital.context.new_page()
    page.goto(f"{hospital.page_url}/#/case/some-case")
    _give_name(page, "grace", password="guessed")
    expect(page.get_by_role("alert")).to_contain_text("does not let you in")
    expect(page).to_have_url(f"{hospital.page_url}/#/case/some-case")


def test_an_answer_that_nobody_asked_for_signs_nobody_in(hospital: Hospital) -> None:
    page = hospital.context.new_page()
    before = hospital.server.count(path="/token")
    page.goto(f"{hospital.page_url}/signed-in?code=stolen&state=made-up")
    expect(page.get_by_role("alert")).to_contain_text("belongs to no sign-in of this tab")
    expect(page).to_have_url(f"{hospital.page_url}/#/")
    assert hospital.server.count(path="/token") == before


def test_a_link_with_a_token_signs_nobody_in(hospital: Hospital) -> None:
    page = hospital.context.new_page()
    page.goto(f"{hospital.page_url}/#token=a.b.c")
    expect(page.get_by_role("button", name=BUTTON)).to_be_focused()
    expect(page).to_have_url(f"{hospital.page_url}/#/")
    assert _token(page) is None


def test_a_server_that_is_away_is_named_and_nobody_is_thrown_out(hospital: Hospital) -> None:
    # The last test of this module: the server does not come back.
    page = hospital.context.new_page()
    page.goto(hospital.page_url)
    _give_name(page, "grace")
    expect(page.get_by_role("heading", name="Work-list")).to_be_visible()
    hospital.server.stop()
    page.reload()
    expect(page.get_by_role("heading", name="Work-list")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert")).to_contain_text("has not confirmed")
    page.get_by_role("button", name=BUTTON).click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
