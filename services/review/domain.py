"""Who signs people in, and under which headers a browser may show the page."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import HttpUrl, TypeAdapter, ValidationError

_HOST = re.compile(r"[0-9a-z.-]+|\[[0-9a-f:.]+\]")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class OidcClient:
    """The page as the hospital's OIDC server knows it: a public client, which has no secret."""

    issuer: str
    origin: str
    """The issuer's; all that the page asks of the server is there."""
    client_id: str
    scope: str
    role_claim: str


def origin_of(issuer: str) -> str:
    """Scheme, host and port of an issuer, as a browser writes them.

    Raises: ValueError: it is no web address, so that no browser could go there.
    """
    try:
        url = TypeAdapter(HttpUrl).validate_python(issuer)
    except ValidationError as error:
        raise ValueError("CONSILIUM_OIDC_ISSUER must be an http(s) address, as in its tokens' iss") from error
    # A semicolon in a host is a host to browsers, and the end of a directive in a policy.
    if url.query or url.fragment or url.username or not _HOST.fullmatch(str(url.host)):
        raise ValueError("CONSILIUM_OIDC_ISSUER must be a plain address, without query, fragment or user name")
    usual = {"https": 443, "http": 80}[url.scheme]
    return f"{url.scheme}://{url.host}" + ("" if url.port == usual else f":{url.port}")


def content_policy(identity_origin: str | None) -> str:
    """A Content-Security-Policy: no inline script or style, nothing from elsewhere.

    Args: identity_origin: of the OIDC server, from which the page fetches tokens. Going there to sign in and out is a
        navigation, which no directive governs.
    """
    elsewhere = f" {identity_origin}" if identity_origin else ""
    return (
        f"default-src 'self'; connect-src 'self'{elsewhere}; "
        # `blob:` are images that the page fetched with its token.
        "img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


def page_headers(identity_origin: str | None) -> dict[str, str]:
    """Headers of the page, which is asked for anew each time."""
    return {
        **SECURITY_HEADERS,
        "Content-Security-Policy": content_policy(identity_origin),
        "Cache-Control": "no-cache",
    }


# Names of assets carry a hash of their content, so that they never change.
ASSET_HEADERS = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": content_policy(None),
    "Cache-Control": "public, max-age=31536000, immutable",
}
