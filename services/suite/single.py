"""One service per process: uvicorn factories `create_<service>`, for the distributed suite and the containers."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from services.suite.services import service_named
from shared.settings import CommonSettings
from shared.telemetry import configure_logging


def _factory(name: str) -> Callable[[], FastAPI]:
    def create() -> FastAPI:
        configure_logging(CommonSettings().log_level)
        return service_named(name).create_app()

    return create


create_imaging = _factory("imaging")
create_notes = _factory("notes")
create_vitals = _factory("vitals")
create_diagnosis = _factory("diagnosis")
create_audit = _factory("audit")
create_ehr = _factory("ehr")
create_review = _factory("review")
