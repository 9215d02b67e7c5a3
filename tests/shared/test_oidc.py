"""An OIDC server beside the suite's own key: whose word counts for whom, and how often it is asked for its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi import Response
from joserfc.jwk import RSAKey

from shared.auth import Principal, Role, verifier_from
from shared.callers import PEOPLE
from shared.errors import Unauthenticated, Unavailable
from shared.jwks import MAX_AGE_S, MAX_STALE_S, MIN_INTERVAL_S, UrlKeys
from shared.tokens import TokenVerifier, TrustedIssuers
from tests.support.common import TestBed, make_test_bed
from tests.support.oidc import OidcServer, oidc_server


@dataclass
class Hands:
    """A clock that is moved by hand, in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Trusting:
    """A verifier that trusts the server."""

    server: OidcServer
    clock: Hands = field(default_factory=Hands)

    def __post_init__(self) -> None:
        keys = UrlKeys(self.server.jwks_url, self.clock)
        self.issuers = TrustedIssuers([TokenVerifier(keys, self.server.issuer, "consilium", roles=PEOPLE)])

    def admit(self, token: str) -> Principal:
        """What a request with this token gets."""
        return asyncio.run(self.issuers.admit(token))


@pytest.fixture
def server() -> Iterator[OidcServer]:
    with oidc_server() as running:
        yield running


@pytest.fixture
def trusting(server: OidcServer) -> Trusting:
    return Trusting(server)


@pytest.fixture
def bed(tmp_path: Path, server: OidcServer) -> TestBed:
    return make_test_bed(tmp_path, oidc_issuer=server.issuer, oidc_jwks_url=server.jwks_url)


def _admit(bed: TestBed, token: str) -> Principal:
    return asyncio.run(verifier_from(bed.common).admit(token))


def test_a_token_of_the_server_is_believed(bed: TestBed, server: OidcServer) -> None:
    caller = _admit(bed, server.token("auditor"))
    assert (caller.role, caller.subject, caller.client_id) == (Role.AUDITOR, "f:1:grace", "consilium-review")


def test_the_role_may_stand_in_an_object(tmp_path: Path, server: OidcServer) -> None:
    bed = make_test_bed(
        tmp_path, oidc_issuer=server.issuer, oidc_jwks_url=server.jwks_url, oidc_role_claim="realm_access.roles"
    )
    assert _admit(bed, server.token("ehr-system")).role is Role.EHR_SYSTEM


def test_a_suite_with_a_name_takes_tokens_of_that_name_alone(tmp_path: Path, server: OidcServer) -> None:
    named = {"oidc_issuer": server.issuer, "oidc_jwks_url": server.jwks_url, "tenant": "north"}
    bed = make_test_bed(tmp_path, **named)
    assert _admit(bed, server.token(tenant="north")).tenant == "north"
    for token in (server.token(), server.token(tenant="south"), server.token(tenant=None)):
        with pytest.raises(Unauthenticated):
            _admit(bed, token)


def test_the_suites_own_key_vouches_for_services_alone(bed: TestBed, server: OidcServer) -> None:
    assert _admit(bed, bed.issuer.mint(Role.SERVICE)).role is Role.SERVICE
    for role in PEOPLE:
        with pytest.raises(Unauthenticated):
            _admit(bed, bed.issuer.mint(role))


def test_the_server_does_not_vouch_for_services(bed: TestBed, server: OidcServer) -> None:
    with pytest.raises(Unauthenticated):
        _admit(bed, server.token("service"))


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"aud": "consilium-review"}, id="an ID token: its audience is the client"),
        pytest.param({"iss": "https://elsewhere.example.org"}, id="another issuer"),
        pytest.param({"iss": ["x"]}, id="an issuer of another form"),
        pytest.param({"role": ["clinician", "admin"]}, id="two roles"),
        pytest.param({"exp": 1}, id="expired"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(bed: TestBed, server: OidcServer, claims: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        _admit(bed, server.token(**claims))  # type: ignore[arg-type]  # claims of any form


def test_the_suites_key_does_not_sign_for_the_server(bed: TestBed, server: OidcServer) -> None:
    stranger = RSAKey.generate_key(2048, parameters={"kid": str(server.keys[0].kid)})
    with pytest.raises(Unauthenticated):
        _admit(bed, server.token(key=stranger))


def test_a_new_key_is_found_at_once_and_the_old_one_forgotten(trusting: Trusting) -> None:
    old = trusting.server.token()
    trusting.admit(old)
    trusting.server.rotate()
    trusting.clock.now += MIN_INTERVAL_S
    trusting.admit(trusting.server.token())
    with pytest.raises(Unauthenticated):
        trusting.admit(old)


def test_unknown_keys_do_not_make_us_ask_again_and_again(trusting: Trusting) -> None:
    strange = trusting.server.token(key=RSAKey.generate_key(2048, parameters={"kid": "unknown"}))
    trusting.admit(trusting.server.token())
    for _ in range(50):
        with pytest.raises(Unauthenticated):
            trusting.admit(strange)
    assert trusting.server.asked == 1
    trusting.clock.now += MIN_INTERVAL_S
    with pytest.raises(Unauthenticated):
        trusting.admit(strange)
    assert trusting.server.asked == 2


def test_known_keys_are_asked_for_again_when_they_are_old(trusting: Trusting) -> None:
    token = trusting.server.token(exp=4_000_000_000)
    for _ in range(20):
        trusting.admit(token)
    assert trusting.server.asked == 1
    trusting.clock.now += MAX_AGE_S + 1
    trusting.admit(token)
    assert trusting.server.asked == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Response("{}"), id="no keys"),
        pytest.param(Response("<html>"), id="no JSON"),
        pytest.param(Response(status_code=500), id="an error"),
        pytest.param(Response(b" " * 300_000), id="too much"),
        pytest.param(Response(status_code=302, headers={"Location": "http://127.0.0.1:9/"}), id="elsewhere"),
    ],
)
def test_while_the_server_fails_old_keys_are_believed_for_a_day(trusting: Trusting, answer: Response) -> None:
    token = trusting.server.token(exp=4_000_000_000)
    trusting.admit(token)
    trusting.server.answer = answer
    trusting.clock.now += MAX_AGE_S + 1
    trusting.admit(token)
    assert trusting.server.asked == 2
    trusting.clock.now += MAX_STALE_S
    with pytest.raises(Unavailable):
        trusting.admit(token)


def test_without_the_servers_keys_nobody_is_refused_for_good(trusting: Trusting) -> None:
    trusting.server.answer = Response(status_code=503)
    with pytest.raises(Unavailable):
        trusting.admit(trusting.server.token())


@pytest.mark.parametrize("settings", [{"oidc_issuer": "https://a.example.org"}, {"oidc_issuer": "consilium-dev"}])
def test_half_a_server_is_no_configuration(tmp_path: Path, settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="CONSILIUM_OIDC_JWKS_URL"):
        verifier_from(make_test_bed(tmp_path, **settings).common)
