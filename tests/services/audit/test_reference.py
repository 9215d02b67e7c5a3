"""The reference page names every route and every setting there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI

from services.audit.app import create_app
from services.audit.settings import Settings
from tests.services.audit.support import settings_of
from tests.support.common import PROJECT_ROOT, TestBed

OPERATIONS = {"/healthz", "/readyz", "/metrics"}


@pytest.fixture
def page() -> str:
    """The page, with path parameters as plain `{}`."""
    text = (Path(PROJECT_ROOT) / "docs" / "reference" / "audit-api.md").read_text()
    return _bare(text)


def _bare(text: str) -> str:
    for name in (
        "{index}",
        "{access_id}",
        "{consent_id}",
        "{model_id}",
        "{erasure_id}",
        "{hold_id}",
        "{id}",
        "{level}",
        "{path}",
        "{L}",
        "{N}[.p/{W}]",
    ):
        text = text.replace(name, "{}")
    return text


@pytest.fixture
def app(bed: TestBed) -> FastAPI:
    """The app, not started."""
    return create_app(settings_of(bed), bed.common)


def test_every_route_is_on_the_page(app: FastAPI, page: str) -> None:
    routes = {(method.upper(), path) for path, item in app.openapi()["paths"].items() for method in item}
    missing = [f"{m} {p}" for m, p in routes if p not in OPERATIONS and f"`{m} {_bare(p)}" not in page]
    assert missing == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_on_the_page(page: str, name: str) -> None:
    assert f"CONSILIUM_AUDIT_{name.upper()}" in page
