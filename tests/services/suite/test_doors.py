"""Paths lead to the services that document them, and the same evidence comes in by the same roles.

Who may call what is a table of its own: `tests/security`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from services.suite.environment import DataDirectory, Ports, common_environment, sqlite_urls
from services.suite.openapi import OPERATIONS
from services.suite.services import SERVICES, owner_of
from shared.access import admitted
from shared.auth import Role


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FastAPI]]:
    """All services' apps, built but not started."""
    before = dict(os.environ)
    data = DataDirectory(Path(tmp_path_factory.mktemp("doors")))
    data.prepare()
    urls = {service.name: "http://127.0.0.1:9" for service in SERVICES}
    os.environ |= common_environment(data, "redis://127.0.0.1:9/0", "http://127.0.0.1:9", urls, Ports(0)) | sqlite_urls(
        data
    )
    built = {service.name: service.create_app() for service in SERVICES}
    yield built
    for app in built.values():
        app.state.runtime.sessions.kw["bind"].dispose()
        app.state.runtime.audit.close()
    os.environ.clear()
    os.environ |= before


def _routes(app: FastAPI) -> list[Any]:
    """All API routes, those of included routers with what the inclusion adds to them."""
    found: list[Any] = []
    for route in app.routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "effective_route_contexts"):
            found.extend(route.effective_route_contexts())
    return found


def test_the_walk_sees_what_the_contract_names(apps: dict[str, FastAPI]) -> None:
    for app in apps.values():
        assert set(app.openapi()["paths"]) <= {route.path_format for route in _routes(app)}


def test_files_and_samples_come_in_by_the_same_roles(apps: dict[str, FastAPI]) -> None:
    doors = {f"{method} {r.path}": admitted(r.dependant) for r in _routes(apps["vitals"]) for method in r.methods}
    for door in ("POST /vitals/imports", "GET /vitals/imports/{import_id}", "GET /vitals/imports/{import_id}/rejects"):
        assert doors[door] == doors["POST /vitals/samples"] == frozenset({Role.CLINICIAN, Role.EHR_SYSTEM})


def test_every_documented_path_goes_to_the_service_that_documents_it(apps: dict[str, FastAPI]) -> None:
    astray = {
        path: name
        for name, app in apps.items()
        for path in app.openapi()["paths"]
        if path not in OPERATIONS and owner_of(path.replace("{", "").replace("}", "")).name != name
    }
    assert astray == {}
