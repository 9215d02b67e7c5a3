"""The composed suite, as `consilium up` builds it, on a real socket and without a broker or a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from services.suite.embedded import EmbeddedSuite
from services.suite.environment import DataDirectory, Ports, common_environment, sqlite_urls
from services.suite.servers import free_port
from services.suite.services import SERVICES
from shared.auth import DevIssuer
from shared.settings import CommonSettings
from tests.support.servers import serve

TEST = b"test"
"""The user agent of tests, which tells their requests from those of services."""


@dataclass
class Recording:
    """The suite, and every address that it is asked at: by tests, and by its services of one another."""

    app: ASGIApp
    addresses: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (b"user-agent", TEST) not in scope["headers"]:
            self.addresses.append(scope["raw_path"] + b"?" + scope["query_string"])
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Composed:
    """The suite's apps, where they answer, and who issues tokens for them."""

    suite: EmbeddedSuite
    http: httpx.Client
    issuer: DevIssuer
    inner_addresses: list[bytes]
    """Where the services asked one another."""


@pytest.fixture(scope="session")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Every service in one process, answering."""
    before = dict(os.environ)
    data = DataDirectory(tmp_path_factory.mktemp("composed"))
    data.prepare()
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    urls = {service.name: address for service in SERVICES}
    ports = Ports(http=port)
    os.environ |= common_environment(data, "redis://127.0.0.1:9/0", address, urls, ports) | sqlite_urls(data)
    try:
        suite = EmbeddedSuite({service.name: service.create_app() for service in SERVICES}, CommonSettings())
    finally:
        os.environ.clear()
        os.environ |= before
    recording = Recording(suite)
    agent = {"User-Agent": TEST.decode()}
    with (
        serve(recording, port),
        httpx.Client(base_url=address, headers=agent, timeout=30, trust_env=False) as http,
    ):
        yield Composed(suite, http, data.issuer, recording.addresses)
