"""Wires the notes service."""

from __future__ import annotations

from fastapi import FastAPI

from services.notes.api import ROUTERS
from services.notes.erasing import ERASER
from services.notes.mllp import NotesDoor
from services.notes.settings import Settings
from services.notes.store import OutboxRow
from shared.clock import Clock, utc_now
from shared.erasure import erasure_router
from shared.hl7v2.exchange import Exchange
from shared.hl7v2.server import listening, waiting_for
from shared.settings import CommonSettings
from shared.web import build_runtime, create_service_app

DESCRIPTION = "Clinical notes in by HTTP and HL7 v2, out verbatim."


def create_app(
    settings: Settings | None = None, common: CommonSettings | None = None, *, clock: Clock = utc_now
) -> FastAPI:
    """The notes service's app, with its MLLP listener while the app runs; the database is migrated already.

    While it runs, `app.state.mllp_port` is the port of the listener (None where it is not enabled).
    """
    settings = settings or Settings()
    runtime = build_runtime("notes", common or CommonSettings(), settings.database_url, OutboxRow, clock=clock)

    exchange = Exchange(runtime, settings, NotesDoor(runtime, settings))
    app = create_service_app(
        "notes",
        runtime,
        (*ROUTERS, erasure_router(ERASER)),
        description=DESCRIPTION,
        readiness=lambda: waiting_for(app.state, settings),
        lifespan=lambda: listening(app.state, exchange, settings),
        max_body_bytes=settings.max_body_bytes,
    )
    app.state.settings = settings
    app.state.mllp_port = None
    return app
