"""Bearer tokens: signed JWTs of issuers that the settings name, asymmetric keys only (RFC 8725, RFC 9068)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError

from shared.callers import PEOPLE, Principal, Role
from shared.errors import Unauthenticated
from shared.jwks import FileKeys, KeySource, UrlKeys
from shared.scopes import parse_scopes
from shared.settings import DEFAULT_TENANT, CommonSettings

# HMAC and "none" are absent on purpose: a public key must never verify as a shared secret (RFC 8725 section 2.1).
ALGORITHMS = ["ES256", "ES384", "RS256", "RS384", "PS256", "EdDSA"]
LEEWAY_S = 30
MAX_TOKEN_BYTES = 8192

log = structlog.get_logger(__name__)


class TokenVerifier:
    """Checks signature, issuer, audience, times and role of one issuer's tokens."""

    def __init__(
        self,
        keys: KeySource,
        issuer: str,
        audience: str,
        tenant: str = "default",
        *,
        roles: Collection[Role] = tuple(Role),
        role_claim: str = "role",
        names_tenant: bool = False,
    ) -> None:
        """Args: roles: those that this issuer may give. role_claim: where they stand; dots lead into objects.
        names_tenant: the issuer serves several tenants, so that a token must name its own.
        """
        self.issuer, self.keys = issuer, keys
        self._audience, self._tenant, self._roles, self._role_claim = audience, tenant, frozenset(roles), role_claim
        self._names_tenant = names_tenant

    def verify(self, token: str) -> Principal:
        """The caller that a compact JWS names.

        Raises: Unauthenticated: anything about the token is wrong. The caller is not told what; the log is.
            Unavailable: the issuer's keys are not known yet.
        """
        keys = self.keys.current()
        try:
            if len(token) > MAX_TOKEN_BYTES:
                raise ValueError("a token of this length")
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            registry = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
                iat={"essential": True},
                sub={"essential": True},
                jti={"essential": True},
            )
            registry.validate(claims)
            return self._principal(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise refused(error) from error

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        if claims.get("tenant", None if self._names_tenant else self._tenant) != self._tenant:
            raise ValueError("token of another tenant")
        client, patient = claims.get("client_id", claims.get("azp")), claims.get("patient")
        return Principal(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            role=self._role(claims),
            tenant=self._tenant,
            client_id=None if client is None else str(client),
            jti=str(claims["jti"]),
            scopes=parse_scopes(claims.get("scope")),
            patient=None if patient is None else str(patient),
        )

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """The one role of ours among those that the token names; duties are kept apart, so two are none."""
        said: Any = claims
        for part in self._role_claim.split("."):
            said = said[part]
        named = {said} if isinstance(said, str) else set(said)
        (role,) = (Role(one) for one in named & set(Role))
        if role not in self._roles:
            raise ValueError("a role that this issuer may not give")
        return role


class TrustedIssuers:
    """All verifiers of a suite; a token is checked by that of the issuer whom it names."""

    def __init__(self, verifiers: Iterable[TokenVerifier]) -> None:
        self._by_issuer = {one.issuer: one for one in verifiers}

    def verify(self, token: str) -> Principal:
        """The caller, by the keys at hand. Raises: Unauthenticated, Unavailable."""
        return self._verifier_of(token).verify(token)

    async def admit(self, token: str) -> Principal:
        """The caller; the issuer is asked for its keys first where that could help. Raises: as `verify`.

        That waits on a thread outside the pool of routes, which may be waiting for this very answer.
        """
        verifier = self._verifier_of(token)
        if verifier.keys.lacks(_peek(token, 0).get("kid")):
            await asyncio.to_thread(verifier.keys.refresh)
        return verifier.verify(token)

    def _verifier_of(self, token: str) -> TokenVerifier:
        if len(self._by_issuer) == 1:
            return next(iter(self._by_issuer.values()))
        try:
            return self._by_issuer[_peek(token, 1)["iss"]]
        except (KeyError, TypeError) as error:
            raise refused(error) from error


def verifier_from(settings: CommonSettings) -> TrustedIssuers:
    """The issuers that the settings trust.

    Where there is an OIDC server (`oidc_issuer`), people and systems have their tokens from it, and the suite's own
    key signs those of its services alone.

    Raises: ValueError: no key set is configured; a service does not start open.
    """
    if settings.auth_jwks_file is None:
        raise ValueError("set CONSILIUM_AUTH_JWKS_FILE to the issuer's JWK Set: without it nobody could be let in")
    audience, tenant = settings.auth_audience, settings.tenant
    own, issuer = FileKeys(settings.auth_jwks_file), settings.auth_issuer
    if not settings.oidc_issuer:
        return TrustedIssuers([TokenVerifier(own, issuer, audience, tenant)])
    if not settings.oidc_jwks_url or settings.oidc_issuer == issuer:
        raise ValueError(
            "set CONSILIUM_OIDC_JWKS_URL, and CONSILIUM_OIDC_ISSUER to another issuer than the suite's own"
        )
    outside = UrlKeys(settings.oidc_jwks_url)
    return TrustedIssuers(
        [
            TokenVerifier(own, issuer, audience, tenant, roles=(Role.SERVICE,)),
            TokenVerifier(
                outside,
                settings.oidc_issuer,
                audience,
                tenant,
                roles=PEOPLE,
                role_claim=settings.oidc_role_claim,
                # Other suites may trust the same server for the same audience.
                names_tenant=tenant != DEFAULT_TENANT,
            ),
        ]
    )


def refused(error: Exception) -> Unauthenticated:
    """One answer for whatever is wrong with a token; the kind is logged."""
    log.info("token refused", reason=type(error).__name__)
    return Unauthenticated("The bearer token is missing, expired or not valid here.")


def _peek(token: str, part: int) -> dict[str, Any]:
    """A part of a token before anything of it is believed: empty where it cannot be read."""
    try:
        encoded = token[:MAX_TOKEN_BYTES].split(".")[part]
        said = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, IndexError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
