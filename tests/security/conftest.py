"""The composed suite, as `consilium up` builds it, on a real socket and without a broker or a worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from services.suite.embedded import EmbeddedSuite
from services.suite.environment import DataDirectory, Ports, common_environment, sqlite_urls
from services.suite.servers import free_port
from services.suite.services import SERVICES
from shared.auth import DevIssuer
from shared.settings import CommonSettings
from tests.support.servers import serve


@dataclass(frozen=True)
class Composed:
    """The suite's apps, where they answer, and who issues tokens for them."""

    suite: EmbeddedSuite
    http: httpx.Client
    issuer: DevIssuer


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
    with serve(suite, port), httpx.Client(base_url=address, timeout=30, trust_env=False) as http:
        yield Composed(suite, http, data.issuer)
