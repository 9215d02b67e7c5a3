"""One origin for the distributed suite: hands each request on to the process that owns its path.

In a cluster an ingress does this; the gateway is for `docker compose` and `consilium up --distributed`, where the
browser and the EHR expect one address.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from services.suite.docs_page import docs_page
from services.suite.openapi import merge
from services.suite.services import SERVICES, owner_of
from shared.access import refuse_unguarded
from shared.errors import Unavailable, install_error_handlers
from shared.headers import SecurityHeaders
from shared.settings import CommonSettings
from shared.telemetry import configure_logging
from shared.web import OPEN, ready_response

# RFC 9110 section 7.6.1: these speak of one connection and are not passed on.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
    }
)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
TIMEOUT = httpx.Timeout(60.0, connect=2.0)


def create_app() -> FastAPI:
    """The gateway, from the environment. Used as uvicorn's factory."""
    common = CommonSettings()
    configure_logging(common.log_level)
    urls = {service.name: str(getattr(common, f"{service.name}_url")) for service in SERVICES}

    @asynccontextmanager
    async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False) as client:
            app.state.client = client
            yield

    app = FastAPI(title="Consilium gateway", lifespan=_lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    install_error_handlers(app)
    app.add_middleware(SecurityHeaders, hsts_s=common.hsts_s)
    _add_operations(app, urls)

    # Whose it is decides who may: the owner asks for the token.
    @app.api_route("/{path:path}", methods=METHODS, dependencies=OPEN)
    async def forward(request: Request) -> Response:
        """Pass a request to its owner and stream the answer back."""
        owner = owner_of(request.url.path).name
        return await _forward(request, app.state.client, owner, urls[owner])

    refuse_unguarded(app)
    return app


async def _forward(request: Request, client: httpx.AsyncClient, owner: str, base_url: str) -> Response:
    target = httpx.URL(base_url).copy_with(raw_path=_raw_target(request))
    headers = [(name, value) for name, value in request.headers.raw if name.decode().lower() not in HOP_BY_HOP]
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    outgoing = client.build_request(
        request.method, target, headers=headers, content=request.stream() if has_body else None
    )
    try:
        answer = await client.send(outgoing, stream=True)
    except httpx.HTTPError as error:
        raise Unavailable(f"The {owner} service is not answering.", headers={"Retry-After": "1"}) from error
    response = StreamingResponse(_body_of(answer), status_code=answer.status_code)
    response.raw_headers = [(n, v) for n, v in answer.headers.raw if n.decode().lower() not in HOP_BY_HOP]
    return response


async def _body_of(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _raw_target(request: Request) -> bytes:
    path: bytes = request.scope["raw_path"].partition(b"?")[0]
    query: bytes = request.scope["query_string"]
    return path + (b"?" + query if query else b"")


def _add_operations(app: FastAPI, urls: dict[str, str]) -> None:
    async def _ask(path: str) -> dict[str, httpx.Response | None]:
        async def one(base_url: str) -> httpx.Response | None:
            try:
                response: httpx.Response = await app.state.client.get(base_url + path, timeout=5)
            except httpx.HTTPError:
                return None
            return response

        answers = await asyncio.gather(*(one(url) for url in urls.values()))
        return dict(zip(urls, answers, strict=True))

    @app.get("/healthz", dependencies=OPEN)
    def healthz() -> dict[str, str]:
        """The gateway is alive."""
        return {"status": "ok"}

    @app.get("/readyz", dependencies=OPEN)
    async def readyz() -> JSONResponse:
        """Every service is ready, and a worker would take a diagnosis at once."""
        waiting = []
        for name, answer in (await _ask("/readyz")).items():
            if answer is None:
                waiting.append(f"{name}: not answering")
            elif answer.status_code != 200:
                waiting.extend(f"{name}: {what}" for what in answer.json().get("waitingFor", ["not ready"]))
        return ready_response(waiting)

    @app.get("/openapi.json", dependencies=OPEN)
    async def openapi() -> JSONResponse:
        """The whole public contract."""
        documents: dict[str, Any] = {}
        for name, answer in (await _ask("/openapi.json")).items():
            if answer is None or answer.status_code != 200:
                raise Unavailable(f"The {name} service is not answering.")
            documents[name] = answer.json()
        return JSONResponse(merge(documents))

    @app.get("/docs", dependencies=OPEN)
    def docs() -> HTMLResponse:
        """The public contract, to read and try."""
        return docs_page()
