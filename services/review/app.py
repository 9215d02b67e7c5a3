"""Wires the review service."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from services.review.api import router
from services.review.settings import ReviewSettings
from shared.settings import CommonSettings
from shared.web import build_runtime, create_service_app

DESCRIPTION = "The clinician's web UI: work-list and case page. It holds no data; the page asks the other services."


def create_app(settings: ReviewSettings | None = None, common: CommonSettings | None = None) -> FastAPI:
    """The review service's app; settings default to the environment."""
    settings = settings or ReviewSettings()
    runtime = build_runtime("review", common or CommonSettings(), "sqlite://", None)
    app = create_service_app("review", runtime, [router], description=DESCRIPTION, max_body_bytes=4096)
    app.state.settings = settings
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    return app
