"""Tokens: what is believed and what is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from shared.auth import DevIssuer, Role, read_service_token, verifier_from, write_secret
from shared.errors import Unauthenticated
from shared.jwks import FileKeys
from shared.settings import CommonSettings
from shared.tokens import MAX_TOKEN_BYTES, TokenVerifier
from tests.support.common import TestBed

ES256 = JWSRegistry.algorithms["ES256"]


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _claims(**changes: object) -> dict[str, object]:
    now = int(datetime.now(UTC).timestamp())
    good = {
        "iss": "consilium-dev",
        "aud": "consilium",
        "sub": "x",
        "role": "clinician",
        "iat": now,
        "exp": now + 60,
        "jti": "j",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def _signed(bed: TestBed, claims: dict[str, object]) -> str:
    key = ECKey.import_key(json.loads(bed.issuer.private_file.read_text()))
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


def test_a_minted_token_names_its_role_and_subject(bed: TestBed) -> None:
    principal = verifier_from(bed.common).verify(bed.issuer.mint(Role.AUDITOR, subject="grace"))
    assert (principal.role, principal.subject, principal.issuer) == (Role.AUDITOR, "grace", "consilium-dev")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"iat": 4_000_000_000, "exp": 4_000_000_060}, id="issued in the future"),
        pytest.param({"nbf": 4_000_000_000}, id="not valid yet"),
        pytest.param({"iss": "someone-else"}, id="another issuer"),
        pytest.param({"aud": "another-app"}, id="another audience"),
        pytest.param({"role": "root"}, id="unknown role"),
        pytest.param({"role": None}, id="no role"),
        pytest.param({"role": ["clinician", "admin"]}, id="two roles"),
        pytest.param({"role": []}, id="an empty list of roles"),
        pytest.param({"scope": ["system/*.r"]}, id="scopes as a list"),
        pytest.param({"exp": None}, id="no expiry"),
        pytest.param({"jti": None}, id="no token id"),
        pytest.param({"tenant": "another-hospital"}, id="another tenant"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(bed: TestBed, changes: dict[str, object]) -> None:
    verifier = verifier_from(bed.common)
    verifier.verify(_signed(bed, _claims()))
    with pytest.raises(Unauthenticated):
        verifier.verify(_signed(bed, _claims(**changes)))


def test_an_unsigned_token_is_refused(bed: TestBed) -> None:
    header = _b64(json.dumps({"alg": "none"}).encode())
    token = f"{header}.{_b64(json.dumps(_claims()).encode())}."
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(token)


def test_the_public_key_is_no_shared_secret(bed: TestBed) -> None:
    """The classic confusion: sign with HMAC under the published public key (RFC 8725 section 2.1)."""
    secret = bed.issuer.jwks_file.read_bytes()
    header = _b64(json.dumps({"alg": "HS256"}).encode())
    signed = f"{header}.{_b64(json.dumps(_claims()).encode())}"
    token = f"{signed}.{_b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(token)


def test_a_token_signed_by_an_unknown_key_is_refused(bed: TestBed, tmp_path: Path) -> None:
    stranger = DevIssuer(tmp_path / "stranger")
    stranger.create()
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(stranger.mint(Role.ADMIN))


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "....", "é.é.é"])
def test_garbage_is_refused(bed: TestBed, token: str) -> None:
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(token)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("[]", id="a list"),
        pytest.param("5", id="a number"),
        pytest.param("[" * 3000, id="deeply nested"),
        pytest.param('{"alg": ["ES256"]}', id="alg a list"),
        pytest.param('{"alg": "ES256", "kid": {"a": 1}}', id="kid an object"),
    ],
)
def test_a_header_of_another_form_is_refused(bed: TestBed, header: str) -> None:
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(f"{_b64(header.encode())}.{_b64(b'{}')}.{_b64(b'x')}")


@given(place=st.integers(0, 400), flip=st.integers(1, 255))
def test_a_token_with_any_bit_flipped_is_refused(place: int, flip: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        issuer = DevIssuer(Path(directory))
        issuer.create()
        verifier = TokenVerifier(FileKeys(issuer.jwks_file), "consilium-dev", "consilium")
        parts = issuer.mint(Role.CLINICIAN).split(".")
        which = place % 3
        content = bytearray(base64.urlsafe_b64decode(parts[which] + "=="))
        content[place % len(content)] ^= flip
        parts[which] = _b64(bytes(content))
        with pytest.raises(Unauthenticated):
            verifier.verify(".".join(parts))


def test_an_extension_that_must_be_understood_and_is_not_is_refused(bed: TestBed) -> None:
    """`crit` (RFC 7515 section 4.1.11)."""
    key = ECKey.import_key(json.loads(bed.issuer.private_file.read_text()))
    head = {"alg": "ES256", "kid": key.kid, "crit": ["urn:example:extra"], "urn:example:extra": True}
    signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(_claims()).encode())}"
    signature = _b64(ES256.sign(signed.encode(), key))
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(f"{signed}.{signature}")
    plain = f"{_b64(json.dumps({'alg': 'ES256', 'kid': key.kid}).encode())}.{signed.split('.')[1]}"
    assert verifier_from(bed.common).verify(f"{plain}.{_b64(ES256.sign(plain.encode(), key))}").subject == "x"


def test_a_key_that_the_token_brings_along_is_not_used(bed: TestBed) -> None:
    """`jwk` in the header (RFC 8725 section 3.1)."""
    stranger = ECKey.generate_key("P-256")
    head = {"alg": "ES256", "jwk": stranger.as_dict(private=False)}
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(jwt.encode(head, _claims(), stranger))


def test_a_token_longer_than_any_is_not_looked_at(bed: TestBed) -> None:
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(_signed(bed, _claims(filler="x" * MAX_TOKEN_BYTES)))


def test_a_role_among_others_that_are_not_ours_is_the_role(bed: TestBed) -> None:
    token = _signed(bed, _claims(role=["offline_access", "auditor", "uma_authorization"]))
    assert verifier_from(bed.common).verify(token).role is Role.AUDITOR


def test_keys_rotate_without_a_restart(bed: TestBed, tmp_path: Path) -> None:
    verifier = verifier_from(bed.common)
    verifier.verify(bed.issuer.mint(Role.CLINICIAN))
    successor = DevIssuer(tmp_path / "new")
    successor.create()
    bed.issuer.jwks_file.write_text(successor.jwks_file.read_text() + " ")
    assert verifier.verify(successor.mint(Role.ADMIN)).role is Role.ADMIN


def test_a_service_without_a_key_set_does_not_start() -> None:
    with pytest.raises(ValueError, match="CONSILIUM_AUTH_JWKS_FILE"):
        verifier_from(CommonSettings())


def test_lifetime_is_kept(bed: TestBed) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    with pytest.raises(Unauthenticated):
        verifier_from(bed.common).verify(bed.issuer.mint(Role.CLINICIAN, lifetime=timedelta(hours=1), now=long_ago))


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    write_secret(tmp_path / "deep" / "s", "x")
    assert (tmp_path / "deep" / "s").stat().st_mode & 0o777 == 0o600


def test_the_service_token_is_read_anew(bed: TestBed) -> None:
    assert bed.common.service_token_file is not None
    bed.common.service_token_file.write_text("second\n")
    assert read_service_token(bed.common) == "second"


def test_verifier_of_another_audience_refuses(bed: TestBed) -> None:
    verifier = TokenVerifier(FileKeys(bed.issuer.jwks_file), "consilium-dev", "elsewhere")
    with pytest.raises(Unauthenticated):
        verifier.verify(bed.issuer.mint(Role.CLINICIAN))
