"""Wires the vitals service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from services.vitals import api
from services.vitals.derived import api as derived_api
from services.vitals.erasing import ERASER
from services.vitals.hl7.door import VitalsDoor
from services.vitals.imports import api as imports_api
from services.vitals.imports.receiving import FORM_BYTES
from services.vitals.imports.worker import ImportWorker
from services.vitals.live import api as live_api
from services.vitals.settings import Settings
from services.vitals.store import OutboxRow
from shared.clock import Clock, utc_now
from shared.erasure import erasure_router
from shared.hl7v2.exchange import Exchange
from shared.hl7v2.server import listening, waiting_for
from shared.settings import CommonSettings
from shared.web import build_runtime, create_service_app

DESCRIPTION = "Vital signs in and out: samples, files, HL7 v2, series, frozen windows."


def create_app(
    settings: Settings | None = None, common: CommonSettings | None = None, *, clock: Clock = utc_now
) -> FastAPI:
    """The vitals service's app, on a database that `shared.database.migrate` has brought up to date.

    While it runs, `app.state.mllp_port` is the port of its MLLP listener (None where it is not enabled).
    """
    settings = settings or Settings()
    runtime = build_runtime("vitals", common or CommonSettings(), settings.database_url, OutboxRow, clock=clock)
    worker = ImportWorker(runtime, settings)
    exchange = Exchange(runtime, settings, VitalsDoor(runtime, settings))

    @contextmanager
    def _working() -> Iterator[None]:
        with worker, listening(app.state, exchange, settings):
            yield

    app = create_service_app(
        "vitals",
        runtime,
        (*api.ROUTERS, imports_api.router, derived_api.router, live_api.router, erasure_router(ERASER)),
        description=DESCRIPTION,
        readiness=lambda: waiting_for(app.state, settings),
        lifespan=_working,
        max_body_bytes=settings.max_body_bytes,
        longer_bodies={imports_api.router.prefix: settings.max_import_bytes + FORM_BYTES},
    )
    app.state.settings, app.state.import_worker, app.state.mllp_port = settings, worker, None
    return app
