"""Who is calling, and may they? Bearer tokens (OIDC-shaped JWT, asymmetric keys only), roles, deny by default.

Every route declares `Depends(require(Role.CLINICIAN, …))` or, in so many words, `Depends(anyone)`; an app with a route
that does neither is not built (`shared.access`).
Tokens come from any OIDC issuer whose public keys are in `CONSILIUM_AUTH_JWKS_FILE`; `DevIssuer` is the one that
`consilium up` runs.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from shared.errors import Forbidden, Unauthenticated
from shared.ids import uuid7
from shared.settings import CommonSettings

# HMAC and "none" are absent on purpose: a public key must never verify as a shared secret (RFC 8725 section 2.1).
ALGORITHMS = ["ES256", "ES384", "RS256", "RS384", "PS256", "EdDSA"]
LEEWAY_S = 30

log = structlog.get_logger(__name__)


class Role(StrEnum):
    """What a caller is. A route names the roles it admits; no role includes another."""

    CLINICIAN = "clinician"
    EHR_SYSTEM = "ehr-system"
    AUDITOR = "auditor"
    ADMIN = "admin"
    RESEARCHER = "researcher"
    """Sees what has left its patient, and nothing else."""
    SERVICE = "service"
    """Our own services calling one another."""


PEOPLE = (Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR, Role.ADMIN, Role.RESEARCHER)


@dataclass(frozen=True)
class Principal:
    """The verified caller."""

    issuer: str
    subject: str
    role: Role
    tenant: str
    client_id: str | None
    jti: str


class TokenVerifier:
    """Checks signature, issuer, audience and times of a bearer token against a JWK Set file.

    The file is read again when it changes, so keys rotate without a restart.
    """

    def __init__(self, jwks_file: Path, issuer: str, audience: str, tenant: str = "default") -> None:
        self._file, self._issuer, self._audience, self._tenant = jwks_file, issuer, audience, tenant
        self._lock = threading.Lock()
        self._read_at: int | None = None
        self._keys = KeySet([])

    def verify(self, token: str) -> Principal:
        """The caller that a compact JWS names.

        Raises: Unauthenticated: anything about the token is wrong. The caller is not told what; the log is.
        """
        try:
            decoded = jwt.decode(token, self._current_keys(), algorithms=ALGORITHMS)
            claims = decoded.claims
            registry = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                jti={"essential": True},
                role={"essential": True},
            )
            registry.validate(claims)
            return _principal(claims, self._tenant)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            log.info("token refused", reason=type(error).__name__)
            raise Unauthenticated("The bearer token is missing, expired or not valid here.") from error

    def _current_keys(self) -> KeySet:
        changed_at = self._file.stat().st_mtime_ns
        with self._lock:
            if changed_at != self._read_at:
                self._keys = KeySet.import_key_set(json.loads(self._file.read_text()))
                self._read_at = changed_at
            return self._keys


def _principal(claims: dict[str, Any], tenant: str) -> Principal:
    if claims.get("tenant", tenant) != tenant:
        raise ValueError("token of another tenant")
    return Principal(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        role=Role(claims["role"]),
        tenant=tenant,
        client_id=claims.get("client_id"),
        jti=str(claims["jti"]),
    )


def verifier_from(settings: CommonSettings) -> TokenVerifier:
    """The verifier that the settings describe.

    Raises: ValueError: no key set is configured; a service does not start open.
    """
    if settings.auth_jwks_file is None:
        raise ValueError("set CONSILIUM_AUTH_JWKS_FILE to the issuer's JWK Set: without it nobody could be let in")
    return TokenVerifier(settings.auth_jwks_file, settings.auth_issuer, settings.auth_audience, settings.tenant)


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
    verifier: TokenVerifier = request.app.state.verifier
    principal = verifier.verify(token.strip())
    request.state.principal = principal
    return principal


def require(*roles: Role) -> Callable[[Principal], Awaitable[Principal]]:
    """FastAPI dependency: the caller, if their role is one of these.

    Raises: Forbidden: the role is another one.
    """
    admitted = frozenset(roles)

    async def _admit(principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
        if principal.role not in admitted:
            needed = " or ".join(sorted(admitted))
            raise Forbidden(f"This needs the role {needed}; the token's role is {principal.role}.")
        return principal

    _admit.roles = admitted  # type: ignore[attr-defined]  # read by `shared.access`
    return _admit


async def anyone() -> None:
    """FastAPI dependency: this route is open to all, with or without a token, because it holds nothing to protect."""


def read_service_token(settings: CommonSettings) -> str:
    """The token with which this service calls its neighbours, read anew each time because it is rotated."""
    if settings.service_token_file is None:
        raise ValueError("set CONSILIUM_SERVICE_TOKEN_FILE: services call one another with a token")
    return settings.service_token_file.read_text().strip()


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
    ) -> str:
        """A signed token for one role.

        Raises: FileNotFoundError: no suite has been started with this directory.
        """
        key = ECKey.import_key(json.loads(self.private_file.read_text()))
        issued = now or datetime.now(UTC)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject or f"demo-{role}",
            "role": str(role),
            "iat": int(issued.timestamp()),
            "exp": int((issued + lifetime).timestamp()),
            "jti": uuid7(),
        }
        return jwt.encode({"alg": "ES256", "typ": "JWT", "kid": key.kid}, claims, key)


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
