"""The OpenSSF's own library (a development dependency) and ours read each other's signatures."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from services.diagnosis.bundle.errors import BundleTampered
from services.diagnosis.bundle.keys import PublicKey
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.trust import SHIPPED_KEYS
from services.diagnosis.bundle.verification import sign_bundle, verify_bundle

verifying = pytest.importorskip("model_signing.verifying", reason="model-signing is not installed (extra `dev`)")
signing = pytest.importorskip("model_signing.signing")


def confirm(directory: Path, public: Path) -> None:
    verifying.Config().use_elliptic_key_verifier(public_key=public).verify(directory, directory / "model.sig")


def test_their_library_confirms_the_shipped_bundle() -> None:
    confirm(DEMO_BUNDLE, SHIPPED_KEYS / "consilium-demo.pem")


def test_their_library_confirms_ours(
    small: Path, tmp_path: Path, pair: tuple[EllipticCurvePrivateKey, PublicKey]
) -> None:
    sign_bundle(small, pair[0])
    confirm(small, tmp_path / "key.pub.pem")


def test_their_library_refuses_a_file_changed_after_ours(
    small: Path, tmp_path: Path, pair: tuple[EllipticCurvePrivateKey, PublicKey]
) -> None:
    sign_bundle(small, pair[0])
    (small / "notes.md").write_text("# B\n")
    with pytest.raises(ValueError, match=r"notes\.md"):
        confirm(small, tmp_path / "key.pub.pem")


def test_we_confirm_what_their_library_signed(
    small: Path, tmp_path: Path, pair: tuple[EllipticCurvePrivateKey, PublicKey]
) -> None:
    signing.Config().use_elliptic_key_signer(private_key=tmp_path / "key.pem").sign(small, small / "model.sig")
    assert verify_bundle(small, [pair[1]]).signer == pair[1]


def test_we_refuse_a_file_added_after_theirs(
    small: Path, tmp_path: Path, pair: tuple[EllipticCurvePrivateKey, PublicKey]
) -> None:
    signing.Config().use_elliptic_key_signer(private_key=tmp_path / "key.pem").sign(small, small / "model.sig")
    (small / ".gitattributes").write_text("*")  # theirs leaves files of git out
    with pytest.raises(BundleTampered):
        verify_bundle(small, [pair[1]])
