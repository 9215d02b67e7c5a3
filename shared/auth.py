"""Who is calling, and may they? Bearer tokens (OIDC-shaped JWT, asymmetric keys only), roles, deny by default.

Every route declares `Depends(require(Role.CLINICIAN, …))` or, in so many words, `Depends(anyone)`; an app with a route
that does neither is not built (`shared.access`).
Tokens come from an OIDC server (`CONSILIUM_OIDC_ISSUER`, `shared.tokens`); `DevIssuer` is the one that `consilium up`
runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from fastapi import Depends, Request
from joserfc import jwt
from joserfc.jwk import ECKey

from shared.callers import PEOPLE, Principal, Role
from shared.errors import Forbidden, Unauthenticated
from shared.ids import uuid7
from shared.scopes import Scopes
from shared.secret_files import read_secret
from shared.settings import CommonSettings
from shared.tokens import TrustedIssuers, verifier_from

__all__ = [
    "CHECKED_BY_ROUTE", "PEOPLE", "DevIssuer", "Principal", "Role", "anyone", "current_principal", "read_service_token",
    "require", "verifier_from", "write_secret",
]  # fmt: skip
CHECKED_BY_ROUTE = "checked by route"


async def current_principal(request: Request) -> Principal:
    """FastAPI dependency: the verified caller of this request.

    A coroutine, as `require` is: a sync dependency needs a pool thread, and when all of those wait for a neighbour in
    the same process, the neighbour could not check the token that it is called with.
    """
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send a bearer token: `Authorization: Bearer …` (`consilium token --role …` prints one).")
    verifier: TrustedIssuers = request.app.state.verifier
    principal = await verifier.admit(token.strip())
    request.state.principal = principal
    if (limit := getattr(request.app.state, "rate_limit", None)) is not None:
        limit.check(principal)
    return principal


def require(*roles: Role, scope: str = "") -> Callable[[Principal], Awaitable[Principal]]:
    """FastAPI dependency: the caller, if their role is one of these.

    Args: scope: what a token that carries SMART scopes must grant as a user's or a system's, such as
        `DocumentReference.c`; `CHECKED_BY_ROUTE`: the route asks itself. Without it such a token is refused: what its
        scopes do not name, it does not open.
    Raises: Forbidden: the role is another one, or the scopes do not grant this.
    """
    admitted = frozenset(roles)

    async def _admit(principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
        if principal.role not in admitted:
            needed = " or ".join(sorted(admitted))
            raise Forbidden(f"This needs the role {needed}; the token's role is {principal.role}.")
        if principal.scopes is not None and scope != CHECKED_BY_ROUTE:
            _check_scope(principal.scopes, scope)
        return principal

    _admit.roles = admitted  # type: ignore[attr-defined]  # read by `shared.access`
    return _admit


async def anyone() -> None:
    """FastAPI dependency: this route is open to all, with or without a token, because it holds nothing to protect."""


def _check_scope(scopes: Scopes, scope: str) -> None:
    resource, _, interaction = scope.partition(".")
    if not scope or scopes.level_for(resource, interaction) != "any":
        needed = f"needs the SMART scope system/{scope} or user/{scope}" if scope else "is named by no SMART scope"
        raise Forbidden(f"This {needed}; a token that carries SMART scopes opens what they grant and nothing else.")


def read_service_token(settings: CommonSettings) -> str:
    """The token with which this service calls its neighbours, read anew each time because it is rotated."""
    if settings.service_token_file is None:
        raise ValueError("set CONSILIUM_SERVICE_TOKEN_FILE: services call one another with a token")
    return read_secret(settings.service_token_file)


class DevIssuer:
    """A token issuer for trying and testing: an EC key in a directory, and tokens signed with it.

    Production uses an OIDC server (Keycloak in `infra/`) and only its public keys.
    """

    def __init__(self, directory: Path, issuer: str = "consilium-dev", audience: str = "consilium") -> None:
        self.private_file = directory / "issuer-key.json"
        self.jwks_file = directory / "jwks.json"
        self._issuer, self._audience = issuer, audience

    def create(self) -> None:
        """Make the key pair unless it is there."""
        if self.private_file.exists() and self.jwks_file.exists():
            return
        self.private_file.parent.mkdir(parents=True, exist_ok=True)
        key = ECKey.generate_key("P-256", parameters={"use": "sig", "kid": uuid7(), "alg": "ES256"})
        write_secret(self.private_file, json.dumps(key.as_dict(private=True)))
        self.jwks_file.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))

    def mint(
        self,
        role: Role,
        *,
        subject: str | None = None,
        lifetime: timedelta = timedelta(hours=12),
        now: datetime | None = None,
        claims: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """A signed token for one role, with other claims (`scope`, `patient`) beside the usual ones.

        Raises: FileNotFoundError: no suite has been started with this directory.
        """
        key = ECKey.import_key(json.loads(read_secret(self.private_file)))
        issued = now or datetime.now(UTC)
        said = {
            **claims,
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject or f"demo-{role}",
            "role": str(role),
            "iat": int(issued.timestamp()),
            "exp": int((issued + lifetime).timestamp()),
            "jti": uuid7(),
        }
        return jwt.encode({"alg": "ES256", "typ": "JWT", "kid": key.kid}, said, key)


def write_secret(path: Path, content: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
