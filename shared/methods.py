"""Which methods a path takes: all of them in the `Allow` of a 405 (RFC 9110 section 10.2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import FieldProblem, MethodNotAllowed, problem_response


class MethodTable:
    """The methods of an app's paths, as its routes declare them. Built when first asked, after all routes are there."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def of(self, path: str) -> frozenset[str]:
        """What a path takes; nothing where there is no such path.

        A path that is written out in full takes what is declared for it alone: `GET /notes/search` is not a note of
        the id `search`.
        """
        matching = (route for route in self._routes if route.path_regex.match(path))
        return self.written_out.get(path) or self._union(matching)

    @cached_property
    def written_out(self) -> dict[str, frozenset[str]]:
        """The methods of each path that has no parameters."""
        paths = {str(c.path_format) for c in self._routes if "{" not in str(c.path_format)}
        return {path: self._union(c for c in self._routes if c.path_format == path) for path in paths}

    @cached_property
    def _routes(self) -> list[RouteContext]:
        return [c for c in iter_route_contexts(self._app.routes) if c.methods and c.path_format]

    @staticmethod
    def _union(routes: Iterable[RouteContext]) -> frozenset[str]:
        return frozenset(method for route in routes for method in route.methods or ())


class DeclaredMethods:
    """ASGI middleware: whatever a path does not declare is answered 405, with all that it does."""

    def __init__(self, app: ASGIApp, table: MethodTable) -> None:
        self._app, self._table = app, table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        declared = self._table.written_out.get(path)
        if declared is not None and scope["method"] not in declared:
            await problem_response(_refusal(scope["method"], declared))(scope, receive, send)
            return

        async def _send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 405:
                kept = [(name, value) for name, value in message["headers"] if name.lower() != b"allow"]
                allow = ", ".join(sorted(self._table.of(path))).encode()
                message = {**message, "headers": [*kept, (b"allow", allow)]}
            await send(message)

        await self._app(scope, receive, _send)


def _refusal(method: str, declared: frozenset[str]) -> MethodNotAllowed:
    allow = ", ".join(sorted(declared))
    field = FieldProblem("method", "is not one of this path", f"use {allow}")
    return MethodNotAllowed(f"This path does not take {method}.", fields=[field], headers={"Allow": allow})
