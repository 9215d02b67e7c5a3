"""What the review service answers to a browser and to a program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.review.app import create_app
from services.review.settings import ReviewSettings
from tests.support.common import TestBed

PAGE = '<!doctype html><div id="root"></div>'
NAVIGATION = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A built UI, as small as can be."""
    directory = tmp_path / "dist"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text(PAGE)
    (directory / "assets" / "index-a1b2.js").write_text("export {};\n" * 200)
    (tmp_path / "secret.txt").write_text("not an asset")
    return directory


@pytest.fixture
def client(bed: TestBed, dist: Path) -> Iterator[TestClient]:
    """A browser, nearly."""
    with TestClient(create_app(ReviewSettings(ui_dist=dist), bed.common)) as client:
        yield client


def test_page_is_served_at_the_root(client: TestClient) -> None:
    assert client.get("/").text == PAGE


def test_navigation_to_an_unknown_path_gets_the_page(client: TestClient) -> None:
    assert client.get("/worklist", headers=NAVIGATION).text == PAGE


def test_program_asking_for_an_unknown_path_gets_a_problem_document(client: TestClient) -> None:
    answer = client.get("/diagnosis/1", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_script_request_that_accepts_anything_is_no_navigation(client: TestClient) -> None:
    answer = client.get("/worklist", headers={"Accept": "text/html, */*", "Sec-Fetch-Mode": "cors"})
    assert answer.status_code == 404


def test_page_is_revalidated_each_time(client: TestClient) -> None:
    assert client.get("/").headers["cache-control"] == "no-cache"


def test_hashed_asset_is_cached_for_ever(client: TestClient) -> None:
    assert client.get("/assets/index-a1b2.js").headers["cache-control"] == "public, max-age=31536000, immutable"


def test_asset_is_compressed(client: TestClient) -> None:
    assert (
        client.get("/assets/index-a1b2.js", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    )


@pytest.mark.parametrize("name", ["..%2F..%2Fsecret.txt", "..%2Findex.html", "missing.js", "%2e%2e"])
def test_what_is_no_asset_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{name}", headers={"Accept": "*/*"}).status_code == 404


def test_link_out_of_the_assets_is_not_followed(client: TestClient, dist: Path) -> None:
    (dist / "assets" / "leak.txt").symlink_to(dist.parent / "secret.txt")
    assert client.get("/assets/leak.txt").status_code == 404


@pytest.mark.parametrize("path", ["/", "/assets/index-a1b2.js"])
def test_content_security_policy_admits_no_inline_script(client: TestClient, path: str) -> None:
    policy = dict(part.strip().split(" ", 1) for part in client.get(path).headers["content-security-policy"].split(";"))
    assert policy.get("script-src", policy["default-src"]) == "'self'"


@pytest.mark.parametrize("path", ["/", "/assets/index-a1b2.js"])
def test_page_may_not_be_framed(client: TestClient, path: str) -> None:
    assert "frame-ancestors 'none'" in client.get(path).headers["content-security-policy"]


def test_missing_build_is_explained(bed: TestBed, tmp_path: Path) -> None:
    with TestClient(create_app(ReviewSettings(ui_dist=tmp_path / "nowhere"), bed.common)) as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "make ui" in answer.text


def test_build_made_while_running_is_picked_up(bed: TestBed, tmp_path: Path) -> None:
    with TestClient(create_app(ReviewSettings(ui_dist=tmp_path), bed.common)) as client:
        client.get("/")
        (tmp_path / "index.html").write_text(PAGE)
        assert client.get("/").text == PAGE


def test_pages_are_no_part_of_the_public_contract(client: TestClient) -> None:
    operations = {"/healthz", "/readyz", "/metrics"}
    assert set(client.get("/openapi.json").json()["paths"]) == {*operations, "/sign-in-options"}


@contextmanager
def behind(issuer: str, bed: TestBed, dist: Path, **settings: str) -> Iterator[TestClient]:
    """A browser before a suite that trusts this OIDC server."""
    common = bed.common.model_copy(update={"oidc_issuer": issuer, "oidc_jwks_url": "http://127.0.0.1:9/jwks"})
    with TestClient(create_app(ReviewSettings(ui_dist=dist, **settings), common)) as client:  # type: ignore[arg-type]
        yield client


def policy_of(client: TestClient, path: str) -> dict[str, str]:
    policy = client.get(path).headers["content-security-policy"]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_without_an_oidc_server_people_come_with_tokens(client: TestClient) -> None:
    assert client.get("/sign-in-options").json() == {"oidc": None}


def test_the_page_is_told_where_people_sign_in(bed: TestBed, dist: Path) -> None:
    with behind("https://id.example/realms/h", bed, dist, oidc_scope="openid offline_access") as client:
        assert client.get("/sign-in-options").json() == {
            "oidc": {
                "issuer": "https://id.example/realms/h",
                "clientId": "consilium-review",
                "scope": "openid offline_access",
                "roleClaim": "role",
            }
        }


@pytest.mark.parametrize(
    ("issuer", "origin"),
    [
        ("https://id.example/realms/h", "https://id.example"),
        ("https://id.example:8443", "https://id.example:8443"),
        ("http://127.0.0.1:8081/realms/h", "http://127.0.0.1:8081"),
        ("https://[2001:DB8::1]/", "https://[2001:db8::1]"),
        ("https://Klinik-München.example/x", "https://xn--klinik-mnchen-3ob.example"),
    ],
)
def test_the_page_may_reach_that_server_and_no_other(bed: TestBed, dist: Path, issuer: str, origin: str) -> None:
    with behind(issuer, bed, dist) as client:
        policy = policy_of(client, "/")
        assert policy["connect-src"] == f"'self' {origin}"
        assert [name for name, said in policy.items() if origin in said] == ["connect-src"]
        assert origin not in str(policy_of(client, "/assets/index-a1b2.js"))


def test_without_one_it_reaches_nothing_but_the_suite(client: TestClient) -> None:
    assert policy_of(client, "/")["connect-src"] == "'self'"


@pytest.mark.parametrize(
    "issuer",
    [
        "hospital",
        "ldap://id.example",
        "https://id.example; script-src *",
        "https://a;b/",
        "https://x/?a=1",
        "https://u@x/",
    ],
)
def test_an_issuer_that_is_no_web_address_stops_the_service(bed: TestBed, dist: Path, issuer: str) -> None:
    with pytest.raises(ValueError, match="CONSILIUM_OIDC_ISSUER"), behind(issuer, bed, dist):
        pass
