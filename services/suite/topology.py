"""Which processes make up a suite: one web process and one worker (embedded), or one per service and two workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from services.suite.environment import DataDirectory, Ports, common_environment, postgres_urls, sqlite_urls
from services.suite.processes import Program
from services.suite.servers import postgres, valkey_program
from services.suite.services import SERVICES

WORKERS = {"embedded": 1, "distributed": 2}
"""Worker processes of each topology."""


@dataclass(frozen=True)
class Topology:
    """What to start, in order, and where the suite will answer."""

    programs: tuple[Program, ...]
    address: str
    environment: Mapping[str, str]


@contextmanager
def embedded(data: DataDirectory, ports: Ports) -> Iterator[Topology]:
    """All web parts in one process on SQLite, a broker, one worker."""
    address = f"http://127.0.0.1:{ports.http}"
    broker, broker_url = valkey_program(data.logs / "valkey.log", data.root / "valkey")
    urls = {service.name: address for service in SERVICES}
    environment = common_environment(data, broker_url, address, urls, ports) | sqlite_urls(data)
    web = _uvicorn("web", "services.suite.embedded:create_app", ports.http, environment, data)
    yield Topology((broker, web, *_workers(WORKERS["embedded"], environment, data)), address, environment)


@contextmanager
def distributed(data: DataDirectory, ports: Ports) -> Iterator[Topology]:
    """One process per service on its own port (the gateway's plus one, two, …), PostgreSQL, a broker, two workers."""
    address = f"http://127.0.0.1:{ports.http}"
    own = {service.name: ports.http + 1 + n for n, service in enumerate(SERVICES)}
    broker, broker_url = valkey_program(data.logs / "valkey.log", data.root / "valkey")
    urls = {name: f"http://127.0.0.1:{p}" for name, p in own.items()}
    with postgres(data.databases / "postgres") as database:
        environment = common_environment(data, broker_url, address, urls, ports) | postgres_urls(database)
        gateway = _uvicorn("gateway", "services.suite.gateway:create_app", ports.http, environment, data)
        services = [
            _uvicorn(name, f"services.suite.single:create_{name}", own[name], environment, data) for name in own
        ]
        # The log first: the others hand it their events as soon as they have some.
        services.sort(key=lambda program: program.name != "audit")
        workers = _workers(WORKERS["distributed"], environment, data)
        yield Topology((broker, *services, gateway, *workers), address, environment)


def _uvicorn(name: str, factory: str, port: int, environment: Mapping[str, str], data: DataDirectory) -> Program:
    options = ["--factory", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    options += ["--no-access-log", "--no-server-header"]
    # Open event streams must not hold up a stop.
    options += ["--timeout-graceful-shutdown", "3"]
    return Program(name, [sys.executable, "-m", "uvicorn", factory, *options], environment, data.logs / f"{name}.log")


def _workers(count: int, environment: Mapping[str, str], data: DataDirectory) -> list[Program]:
    return [
        Program(
            f"worker-{n}",
            [sys.executable, "-m", "services.diagnosis.worker"],
            environment,
            data.logs / f"worker-{n}.log",
        )
        for n in range(1, count + 1)
    ]
