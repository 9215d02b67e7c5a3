"""What the page is told before anybody has signed in."""

from __future__ import annotations

from services.review.domain import OidcClient
from shared.contracts.base import Wire


class OidcClientOut(Wire):
    """How the page introduces itself to the hospital's OIDC server. It is a public client: there is no secret."""

    issuer: str
    """`iss`; what the server can do is told below it (OpenID Connect Discovery 1.0, section 4)."""
    client_id: str
    scope: str
    role_claim: str
    """Where access tokens name the role; dots lead into objects."""


class SignInOptionsOut(Wire):
    """How people sign in: at an OIDC server or, where none is configured, with a token of the suite's own issuer."""

    oidc: OidcClientOut | None

    @classmethod
    def from_domain(cls, client: OidcClient | None) -> SignInOptionsOut:
        """The same on the wire."""
        if client is None:
            return cls(oidc=None)
        return cls(
            oidc=OidcClientOut(
                issuer=client.issuer,
                client_id=client.client_id,
                scope=client.scope,
                role_claim=client.role_claim,
            )
        )
