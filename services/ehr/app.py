"""Wires the ehr service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from services.ehr.deps import Neighbours
from services.ehr.erasing import ERASER
from services.ehr.fhir.api import router as fhir
from services.ehr.fhir.audit_api import router as audit_events
from services.ehr.fhir.outcome import OperationOutcomes, describe_outcomes
from services.ehr.hooks.api import router as hooks
from services.ehr.settings import EhrSettings
from services.ehr.store import OutboxRow
from shared.erasure import erasure_router
from shared.settings import CommonSettings
from shared.web import build_runtime, create_service_app

DESCRIPTION = "The outside door for hospital systems: a FHIR R4 facade and CDS Hooks 2.0."


def create_app(settings: EhrSettings | None = None, common: CommonSettings | None = None) -> FastAPI:
    """The ehr service's app; settings default to the environment. The database must be migrated."""
    settings = settings or EhrSettings()
    common = common or CommonSettings()
    runtime = build_runtime("ehr", common, settings.database_url, OutboxRow)
    neighbours = Neighbours.of(common, settings)

    @contextmanager
    def _lifespan() -> Iterator[None]:
        try:
            yield
        finally:
            neighbours.close()

    app = create_service_app(
        "ehr",
        runtime,
        [audit_events, fhir, hooks, erasure_router(ERASER)],
        description=DESCRIPTION,
        lifespan=_lifespan,
        max_body_bytes=settings.max_body_bytes,
    )
    app.state.settings = settings
    app.state.neighbours = neighbours
    app.add_middleware(OperationOutcomes)
    describe_outcomes(app)
    return app
