"""Deny by default: what a route's dependencies say of who may call it; an app where one is silent is not built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from shared.auth import Role, anyone


class UnguardedRoute(RuntimeError):
    """A route says neither which roles it admits nor that it is open to all."""


def calls_of(dependant: Dependant) -> Iterator[Any]:
    """Everything that FastAPI calls for a route, dependencies of dependencies included."""
    yield dependant.call
    for other in dependant.dependencies:
        yield from calls_of(other)


def admitted(dependant: Dependant) -> frozenset[Role] | None:
    """The roles that a route admits; None where none of its dependencies asks."""
    asked = [call.roles for call in calls_of(dependant) if hasattr(call, "roles")]
    return frozenset.intersection(*asked) if asked else None


def refuse_unguarded(app: FastAPI) -> None:
    """Check that every route names its roles (`require`) or is marked as open (`anyone`); mounted apps count as silent.

    Raises: UnguardedRoute: names the first that does neither, so that the service does not start.
    """
    for route in iter_route_contexts(app.routes):
        if route.path == app.openapi_url:
            continue
        dependant = getattr(route, "dependant", None)
        if dependant is None or (admitted(dependant) is None and anyone not in calls_of(dependant)):
            raise UnguardedRoute(f"{route.path} names no roles: add Depends(require(…)), or Depends(anyone) and why")
