"""The built page with its neighbours, and a browser that looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from services.review.settings import UI, ReviewSettings
from shared.auth import Role
from tests.services.review.neighbours import create_neighbourhood
from tests.support.browser import open_browser
from tests.support.common import TestBed, make_test_bed
from tests.support.servers import serve


@dataclass(frozen=True)
class Ward:
    """A running review app with its neighbours."""

    bed: TestBed
    base_url: str
    feedback: list[dict[str, Any]]

    def token(self, role: Role = Role.CLINICIAN) -> str:
        return self.bed.issuer.mint(role)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    if not (UI / "dist" / "index.html").is_file():
        pytest.skip("the UI is not built; run `make ui`")
    bed = make_test_bed(Path(tmp_path_factory.mktemp("ward")))
    app = create_neighbourhood(bed, ReviewSettings())
    with serve(app) as base_url:
        yield Ward(bed, base_url, app.state.feedback)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()
