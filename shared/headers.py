"""Response headers that keep browsers from doing harm with an answer (OWASP ASVS 5.0, chapter V3)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULTS = {
    # An answer of an API is no page: nothing in it may run, load or be framed. The pages bring policies of their own.
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    # Whatever does not say that it may be kept may hold a patient.
    b"cache-control": b"no-store",
}


class SecurityHeaders:
    """ASGI middleware: each of these headers on every answer that does not bring its own."""

    def __init__(self, app: ASGIApp, hsts_s: int = 0) -> None:
        """Args: hsts_s: `max-age` of Strict-Transport-Security; 0 leaves it out, as without TLS one must."""
        self._app = app
        hsts = {b"strict-transport-security": f"max-age={hsts_s}; includeSubDomains".encode()} if hsts_s else {}
        self._headers = {**DEFAULTS, **hsts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def _send(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                named = {name.lower() for name, _ in own}
                message["headers"] = [*own, *(one for one in self._headers.items() if one[0] not in named)]
            await send(message)

        await self._app(scope, receive, _send)
