"""Routes of the review service: the built page and its assets, open to all because they hold no data.

Who may see a patient is decided by the services that the page asks with the clinician's token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from services.review.settings import ReviewSettings
from shared.errors import NotFound
from shared.web import OPEN

SECURITY_HEADERS = {
    # No inline script or style, nothing from elsewhere. `blob:` are images that the page fetched with its token.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# Names of assets carry a hash of their content; the page that names them is asked for anew each time.
IMMUTABLE = {**SECURITY_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
FRESH = {**SECURITY_HEADERS, "Cache-Control": "no-cache"}
NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Consilium</title></head>
<body>
<h1>The web UI has not been built yet</h1>
<p>Run <code>make ui</code> in the project's directory, then load this page again.</p>
<p>The APIs work without it: see <a href="/docs">/docs</a>.</p>
</body></html>
"""

router = APIRouter(include_in_schema=False)


def _settings_of(request: Request) -> ReviewSettings:
    settings: ReviewSettings = request.app.state.settings
    return settings


SettingsDep = Annotated[ReviewSettings, Depends(_settings_of)]


@router.api_route("/assets/{name}", methods=["GET", "HEAD"], dependencies=OPEN)
def get_asset(name: str, settings: SettingsDep) -> Response:
    """One file that the page needs."""
    return FileResponse(_asset_file(settings.ui_dist / "assets", name), headers=IMMUTABLE)


@router.api_route("/{path:path}", methods=["GET", "HEAD"], dependencies=OPEN)
def get_page(path: str, request: Request, settings: SettingsDep) -> Response:
    """The page, for whoever navigates; a program that asks for a path nobody has is told so."""
    if path and not _is_navigation(request):
        raise NotFound("There is nothing at this path; /docs lists what there is.")
    page = settings.ui_dist / "index.html"
    if not page.is_file():
        return HTMLResponse(NOT_BUILT, 503, headers={**FRESH, "Retry-After": "30"})
    return FileResponse(page, headers=FRESH)


def _asset_file(directory: Path, name: str) -> Path:
    file = directory / name
    # A name is one path segment; `..` and a link out of the directory are no assets.
    if not file.is_file() or file.resolve().parent != directory.resolve():
        raise NotFound("There is no such asset.")
    return file


def _is_navigation(request: Request) -> bool:
    mode = request.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("accept", "")
