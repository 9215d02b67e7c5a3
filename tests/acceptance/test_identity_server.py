"""A suite behind an OIDC server: people come with its tokens, and the suite's own key opens nothing for people."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from shared.auth import Role
from tests.support.oidc import oidc_server
from tests.support.suite import running_suite, until

pytestmark = pytest.mark.e2e


def test_a_suite_starts_behind_an_identity_server_and_believes_it(tmp_path: Path) -> None:
    with oidc_server() as server:
        environment = {"CONSILIUM_OIDC_ISSUER": server.issuer, "CONSILIUM_OIDC_JWKS_URL": server.jwks_url}
        with running_suite(tmp_path / "data", environment=environment) as suite:

            def ask(token: str, path: str = "/diagnoses") -> httpx.Response:
                headers = {"Authorization": f"Bearer {token}"}
                return httpx.get(suite.address + path, headers=headers, timeout=60, trust_env=False)

            assert ask(server.token("clinician")).status_code == 200
            assert ask(server.token("admin")).status_code == 403
            assert ask(suite.data.issuer.mint(Role.CLINICIAN)).status_code == 401
            until(lambda: ask(server.token("admin"), "/models").json()["items"], 60, "the bundle to be registered")
