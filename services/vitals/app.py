"""Wires the vitals service."""

from __future__ import annotations

from fastapi import FastAPI

from services.vitals.api import ROUTERS
from services.vitals.settings import Settings
from services.vitals.store import OutboxRow
from shared.clock import Clock, utc_now
from shared.settings import CommonSettings
from shared.web import build_runtime, create_service_app

DESCRIPTION = "Vital signs in and out: samples, series, frozen windows."


def create_app(
    settings: Settings | None = None, common: CommonSettings | None = None, *, clock: Clock = utc_now
) -> FastAPI:
    """The vitals service's app, on a database that `shared.database.migrate` has brought up to date."""
    settings = settings or Settings()
    runtime = build_runtime("vitals", common or CommonSettings(), settings.database_url, OutboxRow, clock=clock)
    app = create_service_app(
        "vitals", runtime, ROUTERS, description=DESCRIPTION, max_body_bytes=settings.max_body_bytes
    )
    app.state.settings = settings
    return app
