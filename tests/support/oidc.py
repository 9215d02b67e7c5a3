"""A small OIDC server on a real socket: keys at `jwks_uri`, and access tokens as Keycloak gives them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Response
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from shared.ids import uuid7
from tests.support.servers import serve


class OidcServer:
    """Keys that can be rotated, and an address that can fail; `asked` counts the questions for keys."""

    def __init__(self) -> None:
        self.keys = [_new_key()]
        self.asked = 0
        self.answer: Response | None = None
        """Given instead of the keys."""
        self.issuer = ""

    @property
    def jwks_url(self) -> str:
        """Where the keys are."""
        return f"{self.issuer}/protocol/openid-connect/certs"

    def rotate(self) -> None:
        """From now on another key signs, and the old one is gone."""
        self.keys = [_new_key()]

    def token(self, role: str | list[str] = "clinician", *, key: RSAKey | None = None, **claims: Any) -> str:
        """An access token for one role; `claims` replace the usual ones."""
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "aud": ["consilium", "account"],
            "sub": "f:1:grace",
            "typ": "Bearer",
            "azp": "consilium-review",
            "iat": now,
            "exp": now + 300,
            "jti": f"onrtac:{uuid7()}",
            "scope": "openid profile email",
            "role": [role] if isinstance(role, str) else role,
            "realm_access": {"roles": ["offline_access", *([role] if isinstance(role, str) else role)]},
        }
        signing = key or self.keys[0]
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": signing.kid}, {**usual, **claims}, signing)

    def app(self) -> FastAPI:
        """What answers at the address."""
        app = FastAPI()

        @app.get("/realms/consilium/protocol/openid-connect/certs")
        def certs() -> Any:
            self.asked += 1
            return self.answer or KeySet(list(self.keys)).as_dict(private=False)

        return app


def _new_key() -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"use": "sig", "kid": uuid7(), "alg": "RS256"})


@contextmanager
def oidc_server() -> Iterator[OidcServer]:
    """A running one."""
    server = OidcServer()
    with serve(server.app()) as url:
        server.issuer = f"{url}/realms/consilium"
        yield server
