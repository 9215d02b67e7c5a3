"""`/docs`: the contract to read and try. Nothing is fetched from elsewhere: a hospital may have no way out."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

SWAGGER_UI = "5.35.0"
"""Version in `services/review/ui/package.json`; the UI's build puts its files among the page's assets."""

_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def docs_page() -> HTMLResponse:
    """Swagger UI over `/openapi.json`; its policy admits the one script in the page by its digest."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Consilium",
        swagger_js_url=f"/assets/swagger-ui-{SWAGGER_UI}.js",
        swagger_css_url=f"/assets/swagger-ui-{SWAGGER_UI}.css",
        swagger_favicon_url="data:,",
    )
    digests = [base64.b64encode(hashlib.sha256(one).digest()).decode() for one in _INLINE.findall(bytes(page.body))]
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    page.headers["Content-Security-Policy"] = (
        # Swagger UI sets styles on its elements.
        f"default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page
