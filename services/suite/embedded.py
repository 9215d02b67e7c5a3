"""Every service's web part in one process on one port: an ASGI app that hands each request to its owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Depends, FastAPI, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from services.suite.docs_page import docs_page
from services.suite.openapi import OPERATIONS, merge
from services.suite.services import SERVICES, owner_of
from shared.access import refuse_unguarded
from shared.auth import Role, require, verifier_from
from shared.errors import install_error_handlers
from shared.headers import SecurityHeaders
from shared.settings import CommonSettings
from shared.telemetry import configure_logging, metrics_response
from shared.web import OPEN, ready_response

FRONT_PATHS = frozenset({*OPERATIONS, "/openapi.json", "/docs"})


def create_app() -> EmbeddedSuite:
    """The whole suite's web part, from the environment. Used as uvicorn's factory."""
    common = CommonSettings()
    configure_logging(common.log_level)
    return EmbeddedSuite({service.name: service.create_app() for service in SERVICES}, common)


class EmbeddedSuite:
    """Routes by path prefix to the services' own apps, which stay as separate as in twelve processes."""

    def __init__(self, apps: dict[str, FastAPI], common: CommonSettings) -> None:
        self._apps = apps
        self._front = _front(apps, common)

    @property
    def apps(self) -> dict[str, FastAPI]:
        """Every app that answers, by name; `front` is what the suite answers itself."""
        return {**self._apps, "front": self._front}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in FRONT_PATHS:
            await self._front(scope, receive, send)
            return
        await self._apps[owner_of(scope["path"]).name](scope, receive, send)


def _front(apps: dict[str, FastAPI], common: CommonSettings) -> FastAPI:
    @asynccontextmanager
    async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    front = FastAPI(title="Consilium", lifespan=_lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    front.state.verifier = verifier_from(common)
    install_error_handlers(front)
    front.add_middleware(SecurityHeaders, hsts_s=common.hsts_s)

    @front.get("/healthz", dependencies=OPEN)
    def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @front.get("/readyz", dependencies=OPEN)
    def readyz() -> JSONResponse:
        """A diagnosis would be worked on at once."""
        return ready_response([f"{name}: {what}" for name, app in apps.items() for what in app.state.readiness()])

    @front.get("/metrics", dependencies=[Depends(require(Role.ADMIN, Role.SERVICE))])
    def metrics() -> Response:
        """Prometheus metrics of this process."""
        return metrics_response()

    @front.get("/openapi.json", dependencies=OPEN)
    def openapi() -> JSONResponse:
        """The whole public contract."""
        return JSONResponse(merge({name: app.openapi() for name, app in apps.items()}))

    @front.get("/docs", dependencies=OPEN)
    def docs() -> HTMLResponse:
        """The public contract, to read and try."""
        return docs_page()

    refuse_unguarded(front)
    return front
