"""The Keycloak realm in `infra/` gives tokens that the suite believes: our roles, audience and scopes, no secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from services.ehr.fhir.capability import INTERACTIONS
from services.review.settings import ReviewSettings
from shared.callers import PEOPLE
from shared.scopes import parse_scope
from shared.settings import CommonSettings
from tests.support.common import PROJECT_ROOT

LETTERS = {"create": "c", "read": "r", "search-type": "s"}


@pytest.fixture(scope="module")
def realm() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PROJECT_ROOT / "infra" / "keycloak" / "consilium-realm.json").read_text())
    return loaded


def _mappers(realm: dict[str, Any], scope: str) -> dict[str, dict[str, str]]:
    (found,) = (one for one in realm["clientScopes"] if one["name"] == scope)
    return {one["protocolMapper"]: one["config"] for one in found["protocolMappers"]}


def test_its_roles_are_those_of_people_and_systems(realm: dict[str, Any]) -> None:
    assert {role["name"] for role in realm["roles"]["realm"]} == set(PEOPLE)


def test_its_tokens_are_for_our_audience_and_name_the_role_where_we_look(realm: dict[str, Any]) -> None:
    mappers, settings = _mappers(realm, "consilium"), CommonSettings()
    assert mappers["oidc-audience-mapper"]["included.custom.audience"] == settings.auth_audience
    assert mappers["oidc-usermodel-realm-role-mapper"]["claim.name"] == settings.oidc_role_claim
    # As one text, Keycloak writes several roles in brackets.
    assert mappers["oidc-usermodel-realm-role-mapper"]["multivalued"] == "true"
    for mapper in mappers.values():
        assert (mapper["access.token.claim"], mapper["id.token.claim"]) == ("true", "false")


def test_every_client_asks_for_them_and_for_the_subject(realm: dict[str, Any]) -> None:
    for client in realm["clients"]:
        assert "consilium" in client["defaultClientScopes"], client["clientId"]
    assert "oidc-sub-mapper" in _mappers(realm, "consilium")


def test_its_scopes_are_what_the_fhir_door_offers(realm: dict[str, Any]) -> None:
    named = [parse_scope(one["name"]) for one in realm["clientScopes"] if "/" in one["name"]]
    scopes = [one for one in named if one is not None]
    assert len(scopes) == len(named) - 1, "all but launch/patient are SMART scopes for resources"
    for scope in scopes:
        # The log as FHIR is a door of its own.
        if scope.resource != "AuditEvent":
            assert set(scope.allows) <= {LETTERS[one] for one in INTERACTIONS[scope.resource]}, str(scope)


def test_it_holds_no_secret_and_nobody_signs_in_with_a_password_of_ours(realm: dict[str, Any]) -> None:
    text = json.dumps(realm).lower()
    assert not any(word in text for word in ('"secret"', "credentials", "privatekey", 'password": "'))
    assert not any(client["directAccessGrantsEnabled"] or client["implicitFlowEnabled"] for client in realm["clients"])


def _page(realm: dict[str, Any]) -> dict[str, Any]:
    (page,) = (client for client in realm["clients"] if client["publicClient"])
    return dict(page)


def test_browsers_prove_that_they_began_the_sign_in(realm: dict[str, Any]) -> None:
    assert _page(realm)["attributes"]["pkce.code.challenge.method"] == "S256"


def test_the_page_signs_in_as_that_client_and_comes_back_to_two_addresses_alone(realm: dict[str, Any]) -> None:
    page, here = _page(realm), "${CONSILIUM_PUBLIC_URL}"
    assert page["clientId"] == ReviewSettings().oidc_client_id
    assert page["redirectUris"] == [f"{here}/signed-in"]
    assert page["attributes"]["post.logout.redirect.uris"] == f"{here}/signed-out"
    assert page["webOrigins"] == [here], "the only origin whose scripts may fetch tokens"


def test_the_page_may_ask_for_what_it_asks_for(realm: dict[str, Any]) -> None:
    page = _page(realm)
    given = {"openid", *page["defaultClientScopes"], *page["optionalClientScopes"]}
    assert set(ReviewSettings().oidc_scope.split()) <= given


def test_the_page_is_renewed_without_a_password_and_each_refresh_token_is_used_once(realm: dict[str, Any]) -> None:
    assert _page(realm)["attributes"]["use.refresh.tokens"] == "true"
    assert realm["revokeRefreshToken"]
    # A renewal keeps the server's own session awake.
    assert realm["accessTokenLifespan"] < realm["ssoSessionIdleTimeout"]


def test_names_of_persons_are_in_no_access_token(realm: dict[str, Any]) -> None:
    assert _mappers(realm, "profile")["oidc-full-name-mapper"]["access.token.claim"] == "false"


def test_compose_imports_it() -> None:
    compose = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
    keycloak = compose["services"]["keycloak"]
    assert any("infra/keycloak" in volume for volume in keycloak["volumes"])
    assert "--import-realm" in keycloak["command"]
