"""One shape for every service's web part: errors, authentication, sessions, audit outbox, health and metrics.

`create_service_app` wires what all services share; a service's `app.py` adds its routers and its own state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy.orm import Session

from shared import outbox
from shared.access import refuse_unguarded
from shared.auditing import EventWriter
from shared.auth import Principal, Role, anyone, current_principal, require, verifier_from
from shared.blobs import BlobStore, open_blobs
from shared.clients import AuditClient
from shared.clock import Clock, utc_now
from shared.contracts.audit import AuditEvent
from shared.database import Sessions, create_engine, session_factory
from shared.errors import install_error_handlers
from shared.headers import SecurityHeaders
from shared.keys.blobs import SealedBlobs
from shared.keys.store import KeyStore
from shared.keys.wrapping import open_wrapper
from shared.limits import BodyLimit, RateLimit
from shared.methods import DeclaredMethods, MethodTable
from shared.openapi import describe_access_and_refusals
from shared.settings import CommonSettings
from shared.storing import StoringGate
from shared.telemetry import Instrumented, metrics_response

NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "Something is waited for.", "content": {"application/json": {"schema": {"type": "object"}}}}
}
"""`responses` of the question whether a process is ready."""
OPEN = [Depends(anyone)]
"""`dependencies` of a route that is open to all."""
Readiness = Callable[[], Sequence[str]]
"""What is not ready yet, in words; empty when all is."""


@dataclass(frozen=True)
class Runtime:
    """What a service's routes and threads work with, built once by `build_runtime`; also found at
    `app.state.runtime`."""

    common: CommonSettings
    sessions: Sessions
    events: EventWriter
    blobs: BlobStore
    keys: KeyStore
    audit: AuditClient
    storing: StoringGate
    relay: outbox.OutboxRelay | None
    outbox_row: type[outbox.OutboxMixin] | None
    clock: Clock = utc_now

    def record(self, session: Session, event: AuditEvent) -> None:
        """Put an audit event into this service's outbox, in the caller's transaction."""
        if self.outbox_row is None:
            raise RuntimeError("this service has no outbox")
        outbox.add(session, self.outbox_row, event)

    def wake_relay(self) -> None:
        """After a commit: events may be waiting."""
        if self.relay is not None:
            self.relay.wake()


def build_runtime(
    service: str,
    common: CommonSettings,
    database_url: str,
    outbox_row: type[outbox.OutboxMixin] | None,
    *,
    clock: Clock = utc_now,
) -> Runtime:
    """Open what the settings name: database, blob store, audit client, outbox relay (not started)."""
    sessions = session_factory(create_engine(database_url))
    audit, events = AuditClient(common), EventWriter.from_settings(service, common)
    keys = KeyStore(
        common.keys_database_url, open_wrapper(common.key_encryption_key_file, common.key_encryption_kms_key)
    )
    subject_of = partial(events.pseudonyms.patient, common.tenant)
    return Runtime(
        common=common,
        sessions=sessions,
        events=events,
        blobs=SealedBlobs(open_blobs(common.blob_url), keys),
        keys=keys,
        audit=audit,
        storing=StoringGate(audit, subject_of, enabled=common.consent_at_ingest),
        relay=outbox.OutboxRelay(sessions, outbox_row, audit.append) if outbox_row is not None else None,
        outbox_row=outbox_row,
        clock=clock,
    )


def create_service_app(
    service: str,
    runtime: Runtime,
    routers: Sequence[APIRouter],
    *,
    description: str,
    readiness: Readiness = lambda: (),
    lifespan: Callable[[], AbstractContextManager[Any]] = nullcontext,
    max_body_bytes: int = 16 * 2**20,
    longer_bodies: Mapping[str, int] = MappingProxyType({}),
) -> FastAPI:
    """A FastAPI app with everything that all services share.

    Args:
        lifespan: entered when the app starts and left when it stops: the service's own threads and listeners.
        max_body_bytes: a longer request body is answered 413 before it is read further.
        longer_bodies: paths that take more than others, with how much.
    Raises: UnguardedRoute: a route says nothing of who may call it.
    """

    @asynccontextmanager
    async def _lifespan(_: FastAPI) -> Any:
        try:
            with lifespan():
                if runtime.relay is not None:
                    runtime.relay.start()
                try:
                    yield
                finally:
                    if runtime.relay is not None:
                        runtime.relay.stop()
        finally:
            # When the service's own threads have ended: what they open after this would stay open.
            runtime.audit.close()
            runtime.keys.close()
            runtime.sessions.kw["bind"].dispose()

    app = FastAPI(
        title=f"Consilium {service}",
        description=description,
        lifespan=_lifespan,
        version="0.1.0",
        # FastAPI's own pages load scripts from elsewhere; the suite has one page for all services.
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.state.verifier = verifier_from(runtime.common)
    app.state.rate_limit = RateLimit(runtime.common.rate_limit_per_s)
    app.state.readiness = readiness
    if runtime.relay is not None:
        outbox.measure(service, runtime.relay)
    install_error_handlers(app)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes, by_path=longer_bodies)
    app.add_middleware(DeclaredMethods, table=MethodTable(app))
    app.add_middleware(SecurityHeaders, hsts_s=runtime.common.hsts_s)
    app.add_middleware(Instrumented, service=service)
    app.include_router(_operations(readiness))
    for router in routers:
        app.include_router(router)
    refuse_unguarded(app)
    describe_access_and_refusals(app)
    return app


def _operations(readiness: Readiness) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", dependencies=OPEN)
    def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @router.get("/readyz", dependencies=OPEN, responses=NOT_READY)
    def readyz() -> JSONResponse:
        """A request would be worked on at once."""
        return ready_response(readiness())

    @router.get("/metrics", dependencies=[Depends(require(Role.ADMIN, Role.SERVICE))], response_class=PlainTextResponse)
    def metrics() -> Response:
        """Prometheus metrics; they hold no patient data, and still need a token."""
        return metrics_response()

    return router


def ready_response(waiting_for: Sequence[str]) -> JSONResponse:
    """200 when nothing is waited for, else 503 naming it."""
    if waiting_for:
        return JSONResponse({"status": "starting", "waitingFor": list(waiting_for)}, 503, {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


async def runtime_of(request: Request) -> Runtime:
    """FastAPI dependency: the runtime of the app that serves this request. A coroutine: it needs no pool thread."""
    return _runtime(request)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def get_session(request: Request) -> Iterator[Session]:
    """FastAPI dependency: one transaction, committed before the answer leaves (`scope="function"`)."""
    runtime = _runtime(request)
    with runtime.sessions.begin() as session:
        yield session
    runtime.wake_relay()


def request_id_of(request: Request) -> str:
    """FastAPI dependency: the id that this request carries through logs and audit events."""
    request_id: str = request.state.request_id
    return request_id


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]
SessionDep = Annotated[Session, Depends(get_session, scope="function")]
PrincipalDep = Annotated[Principal, Depends(current_principal)]
RequestIdDep = Annotated[str, Depends(request_id_of)]
