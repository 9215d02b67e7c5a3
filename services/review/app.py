"""Wires the review service."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from services.review.api import contract, pages
from services.review.domain import OidcClient, origin_of
from services.review.settings import ReviewSettings
from shared.settings import CommonSettings
from shared.web import build_runtime, create_service_app

DESCRIPTION = "The clinician's web UI: work-list and case page. It holds no data; the page asks the other services."


def create_app(settings: ReviewSettings | None = None, common: CommonSettings | None = None) -> FastAPI:
    """The review service's app; settings default to the environment.

    Raises: ValueError: the OIDC server has an issuer to which no browser could go.
    """
    settings, common = settings or ReviewSettings(), common or CommonSettings()
    runtime = build_runtime("review", common, "sqlite://", None)
    # The pages take every path that is left over.
    app = create_service_app("review", runtime, [contract, pages], description=DESCRIPTION, max_body_bytes=4096)
    app.state.settings, app.state.oidc = settings, _oidc_client(settings, common)
    app.add_middleware(GZipMiddleware, minimum_size=1024)
    return app


def _oidc_client(settings: ReviewSettings, common: CommonSettings) -> OidcClient | None:
    if not common.oidc_issuer:
        return None
    return OidcClient(
        issuer=common.oidc_issuer,
        origin=origin_of(common.oidc_issuer),
        client_id=settings.oidc_client_id,
        scope=settings.oidc_scope,
        role_claim=common.oidc_role_claim,
    )
