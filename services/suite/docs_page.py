"""`/docs`: the contract to read and try. Nothing is fetched from elsewhere: a hospital may have no way out."""

from __future__ import annotations

from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

SWAGGER_UI = "5.35.0"
"""Version in `services/review/ui/package.json`; the UI's build puts its files among the page's assets."""


def docs_page() -> HTMLResponse:
    """Swagger UI over `/openapi.json`."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Consilium",
        swagger_js_url=f"/assets/swagger-ui-{SWAGGER_UI}.js",
        swagger_css_url=f"/assets/swagger-ui-{SWAGGER_UI}.css",
        swagger_favicon_url="data:,",
    )
