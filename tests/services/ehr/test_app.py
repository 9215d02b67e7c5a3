"""The app as it is put together."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from fastapi.routing import APIRoute

from tests.support.ehr_neighbours import Door

OPEN = {"/healthz", "/readyz"}


def test_importing_the_app_leaves_the_fhir_models_for_later() -> None:
    code = "import sys, services.ehr.app; print(sum(m.startswith('fhir') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "0"


def _roles(dependant: Any) -> list[Any]:
    found = [getattr(dependant.call, "roles", None)]
    return [roles for roles in found if roles] + [r for one in dependant.dependencies for r in _roles(one)]


def test_every_route_declares_its_roles(door: Door) -> None:
    app: Any = door.client.app
    routes = [route for route in _api_routes(app.routes) if route.path not in OPEN]
    assert len(routes) > 10
    assert [route.path for route in routes if not _roles(route.dependant)] == []


def _api_routes(routes: Any) -> list[APIRoute]:
    found = []
    for route in routes:
        nested = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        found += _api_routes(nested) if nested else [route] if isinstance(route, APIRoute) else []
    return found


def test_the_service_answers_that_it_is_alive(door: Door) -> None:
    assert door.client.get("/healthz").status_code == 200
