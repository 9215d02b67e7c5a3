from __future__ import annotations

import hashlib
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from services.diagnosis.bundle.errors import SigningKeyUnusable
from services.diagnosis.bundle.keys import (
    local_key,
    local_trusted_keys,
    make_key_pair,
    read_private_key,
    read_public_key,
)
from services.diagnosis.bundle.trust import SHIPPED_KEYS, TrustSettings, trusted_keys


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "consilium"


def test_a_private_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    make_key_pair(tmp_path / "a.pem", tmp_path / "a.pub.pem")
    assert stat.S_IMODE((tmp_path / "a.pem").stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    make_key_pair(tmp_path / "a.pem", tmp_path / "a.pub.pem")
    before = (tmp_path / "a.pem").read_bytes()
    with pytest.raises(SigningKeyUnusable, match="never overwritten"):
        make_key_pair(tmp_path / "a.pem", tmp_path / "b.pub.pem")
    assert (tmp_path / "a.pem").read_bytes() == before


def test_keys_of_openssl_are_read(tmp_path: Path) -> None:
    made = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "k.pem"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(
        ["openssl", "ec", "-in", "k.pem", "-pubout", "-out", "p.pem"], cwd=tmp_path, check=True, capture_output=True
    )
    public = read_public_key(tmp_path / "p.pem")
    assert read_private_key(tmp_path / "k.pem").public_key() == public.key
    assert public.fingerprint == hashlib.sha256((tmp_path / "p.pem").read_bytes()).hexdigest()


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    edwards = ed25519.Ed25519PrivateKey.generate()
    pem = edwards.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ed.pem").write_bytes(pem)
    with pytest.raises(SigningKeyUnusable, match="P-256"):
        read_private_key(tmp_path / "ed.pem")
    for name in ("ed.pem", "missing.pem"):
        with pytest.raises(SigningKeyUnusable):
            read_public_key(tmp_path / name)


def test_an_encrypted_key_asks_for_its_password(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    (tmp_path / "k.pem").write_bytes(pem)
    assert read_private_key(tmp_path / "k.pem", lambda: "open sesame").public_key() == key.public_key()
    for ask in (None, lambda: "wrong"):
        with pytest.raises(SigningKeyUnusable):
            read_private_key(tmp_path / "k.pem", ask)


def test_a_users_own_key_is_made_once_and_trusted_by_that_user(home: Path) -> None:
    first = local_key()
    assert first == home / "signing-key.pem"
    assert local_key().read_bytes() == first.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert read_private_key(first).public_key() in [key.key for key in trusted_keys()]


def test_a_new_own_key_leaves_the_trust_in_older_ones(home: Path) -> None:
    local_key().unlink()
    local_key()
    assert sorted(path.name for path in local_trusted_keys().iterdir()) == ["local-2.pem", "local.pem"]


def test_a_named_directory_takes_the_place_of_the_users(home: Path, tmp_path: Path) -> None:
    local_key()
    (tmp_path / "trusted").mkdir()
    make_key_pair(tmp_path / "a.pem", tmp_path / "trusted" / "hospital.pem")
    names = [key.name for key in trusted_keys(TrustSettings(trusted_keys_dir=tmp_path / "trusted"))]
    assert names == [*(path.stem for path in sorted(SHIPPED_KEYS.glob("*.pem"))), "hospital"]


def test_the_directory_can_be_named_by_the_environment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSILIUM_DIAGNOSIS_TRUSTED_KEYS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(SigningKeyUnusable, match="nowhere"):
        trusted_keys()


def test_a_private_key_among_the_trusted_ones_is_an_error(home: Path, tmp_path: Path) -> None:
    (tmp_path / "trusted").mkdir()
    make_key_pair(tmp_path / "trusted" / "a.pem", tmp_path / "a.pub.pem")
    with pytest.raises(SigningKeyUnusable, match=r"a\.pem"):
        trusted_keys(TrustSettings(trusted_keys_dir=tmp_path / "trusted"))


def test_no_private_key_ships() -> None:
    assert all(b"PRIVATE" not in path.read_bytes() for path in SHIPPED_KEYS.iterdir())
