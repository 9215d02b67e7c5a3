"""The web part of the diagnosis service. It knows no model: torch lives in the worker alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from services.diagnosis import api, internal_api, joint_api, replay_api, store
from services.diagnosis.broker import CeleryBroker
from services.diagnosis.clients import Neighbours
from services.diagnosis.dispatcher import Dispatcher
from services.diagnosis.domain import NOTHING_ACTIVE
from services.diagnosis.erasing import ERASER
from services.diagnosis.replaying import NightlyReplays
from services.diagnosis.rows import OutboxRow
from services.diagnosis.settings import DiagnosisSettings
from services.diagnosis.watch import Watch
from shared.database import reading
from shared.erasure import erasure_router
from shared.settings import CommonSettings
from shared.web import Runtime, build_runtime, create_service_app

DESCRIPTION = "Freezes what is known of a patient into a case, and answers with a calibrated, explained diagnosis."


def create_app(settings: DiagnosisSettings | None = None, common: CommonSettings | None = None) -> FastAPI:
    """The service's app; settings that are not given come from the environment. The database must be migrated."""
    settings = settings or DiagnosisSettings()
    common = common or CommonSettings()
    runtime = build_runtime("diagnosis", common, settings.database_url, OutboxRow)
    broker = CeleryBroker(common.broker_url)
    dispatcher, watch = Dispatcher(runtime, broker, settings), Watch(runtime, settings)
    replays = NightlyReplays(runtime, broker, settings)

    @contextmanager
    def _dispatching() -> Iterator[None]:
        dispatcher.start()
        watch.start()
        replays.start()
        try:
            yield
        finally:
            replays.stop()
            watch.stop()
            dispatcher.stop()
            broker.close()

    app = create_service_app(
        "diagnosis",
        runtime,
        [api.router, joint_api.router, replay_api.router, internal_api.router, erasure_router(ERASER)],
        description=DESCRIPTION,
        readiness=lambda: waiting_for(runtime, broker, settings),
        lifespan=_dispatching,
        max_body_bytes=2**20,
    )
    app.state.dispatcher = dispatcher
    app.state.asker = joint_api.Asker(runtime, broker, settings)
    app.state.neighbours = Neighbours(common)
    _close_with(app, app.state.neighbours)
    return app


def waiting_for(runtime: Runtime, broker: CeleryBroker, settings: DiagnosisSettings) -> Sequence[str]:
    """What stands between a request and its diagnosis, in words."""
    waiting = [] if broker.answers() else ["the broker does not answer"]
    fresh = runtime.clock() - timedelta(seconds=settings.worker_fresh_s)
    try:
        with reading(runtime.sessions) as session:
            bundles = store.workers_since(session, fresh)
        if not bundles:
            waiting.append("no worker with a loaded model bundle has been heard of")
        elif not any(bundles):
            waiting.append(NOTHING_ACTIVE)
    except SQLAlchemyError:
        waiting.append("the database does not answer")
    return waiting


def _close_with(app: FastAPI, neighbours: Neighbours) -> None:
    """Close the asynchronous client in the app's own event loop when the app stops."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def _lifespan(scope: FastAPI) -> AsyncIterator[None]:
        async with inner(scope):
            yield
        await neighbours.close()

    app.router.lifespan_context = _lifespan
