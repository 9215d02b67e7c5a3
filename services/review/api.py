"""Routes of the review service: the built page, its assets and how to sign in; open to all, for they hold no data.

Who may see a patient is decided by the services that the page asks with the clinician's token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from services.review.domain import ASSET_HEADERS, OidcClient, page_headers
from services.review.schemas import SignInOptionsOut
from services.review.settings import ReviewSettings
from shared.errors import NotFound
from shared.web import OPEN

NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Consilium</title></head>
<body>
<h1>The web UI has not been built yet</h1>
<p>Run <code>make ui</code> in the project's directory, then load this page again.</p>
<p>The APIs work without it: see <a href="/docs">/docs</a>.</p>
</body></html>
"""

contract = APIRouter(tags=["review"])
pages = APIRouter(include_in_schema=False)


def _settings_of(request: Request) -> ReviewSettings:
    settings: ReviewSettings = request.app.state.settings
    return settings


def _oidc_of(request: Request) -> OidcClient | None:
    oidc: OidcClient | None = request.app.state.oidc
    return oidc


SettingsDep = Annotated[ReviewSettings, Depends(_settings_of)]
OidcDep = Annotated[OidcClient | None, Depends(_oidc_of)]


@contract.get("/sign-in-options", dependencies=OPEN)
def get_sign_in_options(oidc: OidcDep) -> SignInOptionsOut:
    """How people sign in to the web page: at which OIDC server and as which client, or with a token."""
    return SignInOptionsOut.from_domain(oidc)


@pages.api_route("/assets/{name}", methods=["GET", "HEAD"], dependencies=OPEN)
def get_asset(name: str, settings: SettingsDep) -> Response:
    """One file that the page needs."""
    return FileResponse(_asset_file(settings.ui_dist / "assets", name), headers=ASSET_HEADERS)


@pages.api_route("/{path:path}", methods=["GET", "HEAD"], dependencies=OPEN)
def get_page(path: str, request: Request, settings: SettingsDep, oidc: OidcDep) -> Response:
    """The page, for whoever navigates; a program that asks for a path nobody has is told so."""
    if path and not _is_navigation(request):
        raise NotFound("There is nothing at this path; /docs lists what there is.")
    page, headers = settings.ui_dist / "index.html", page_headers(oidc.origin if oidc else None)
    if not page.is_file():
        return HTMLResponse(NOT_BUILT, 503, headers={**headers, "Retry-After": "30"})
    return FileResponse(page, headers=headers)


def _asset_file(directory: Path, name: str) -> Path:
    file = directory / name
    # A name is one path segment; `..` and a link out of the directory are no assets.
    if not file.is_file() or file.resolve().parent != directory.resolve():
        raise NotFound("There is no such asset.")
    return file


def _is_navigation(request: Request) -> bool:
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")
