from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from services.diagnosis.bundle.errors import (
    BundleKeyUntrusted,
    BundleSignatureInvalid,
    BundleTampered,
    BundleUnsigned,
)
from services.diagnosis.bundle.keys import PublicKey
from services.diagnosis.bundle.manifest import verify_manifest, write_manifest
from services.diagnosis.bundle.verification import sign_bundle, verify_bundle

Pair = tuple[ec.EllipticCurvePrivateKey, PublicKey]


@pytest.fixture
def signed(small: Path, pair: Pair) -> Path:
    sign_bundle(small, pair[0])
    return small


def change(signed: Path, *steps: str | int, to: Any) -> None:
    """Replace one value inside `model.sig`."""
    value = whole = json.loads((signed / "model.sig").read_text())
    for step in steps[:-1]:
        value = value[step]
    value[steps[-1]] = to
    (signed / "model.sig").write_text(json.dumps(whole))


def test_a_signed_bundle_is_believed_and_the_signer_named(signed: Path, pair: Pair) -> None:
    verified = verify_bundle(signed, [pair[1]])
    assert (verified.signer, verified.identity.name, verified.files) == (pair[1], "small", 4)


def test_signing_leaves_the_digest_alone(small: Path, pair: Pair) -> None:
    before = verify_manifest(small).digest
    assert sign_bundle(small, pair[0]).digest == before
    assert verify_manifest(small).digest == before


def test_the_same_key_signs_the_same_files_with_the_same_bytes(signed: Path, pair: Pair) -> None:
    first = (signed / "model.sig").read_bytes()
    sign_bundle(signed, pair[0])
    assert (signed / "model.sig").read_bytes() == first


def test_openssl_confirms_the_signature_over_the_dsse_encoding(signed: Path, tmp_path: Path) -> None:
    envelope = json.loads((signed / "model.sig").read_text())["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    # DSSE v1.0.0, protocol.md: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body; the type has 28 characters.
    encoded = b"DSSEv1 28 application/vnd.in-toto+json " + str(len(payload)).encode() + b" " + payload
    (tmp_path / "encoded").write_bytes(encoded)
    (tmp_path / "raw.sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pub.pem", "-signature", "raw.sig", "encoded"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Verified OK"


def test_the_statement_lists_sha256_of_every_file_but_the_signature(signed: Path) -> None:
    envelope = json.loads((signed / "model.sig").read_text())["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    listed = {item["name"]: item["digest"] for item in statement["predicate"]["resources"]}
    assert list(listed) == ["configs/a.json", "manifest.json", "notes.md"]
    assert all(hashlib.sha256((signed / name).read_bytes()).hexdigest() == value for name, value in listed.items())
    joined = b"".join(bytes.fromhex(value) for value in listed.values())
    assert statement["subject"][0]["digest"]["sha256"] == hashlib.sha256(joined).hexdigest()


def test_no_signature_is_said_to_be_unsigned(small: Path, pair: Pair) -> None:
    with pytest.raises(BundleUnsigned, match="consilium bundle sign"):
        verify_bundle(small, [pair[1]])


def test_a_key_that_is_not_trusted_is_not_enough(signed: Path) -> None:
    with pytest.raises(BundleKeyUntrusted, match="CONSILIUM_DIAGNOSIS_TRUSTED_KEYS_DIR"):
        verify_bundle(signed, [])


def test_files_changed_together_with_the_manifest_are_noticed(signed: Path, pair: Pair) -> None:
    (signed / "configs" / "a.json").write_text('{"b": 1}')
    write_manifest(signed, name="small", version="1")
    with pytest.raises(BundleTampered, match="signed"):
        verify_bundle(signed, [pair[1]])


def test_a_renamed_bundle_is_noticed(signed: Path, pair: Pair) -> None:
    write_manifest(signed, name="small", version="2")
    with pytest.raises(BundleTampered):
        verify_bundle(signed, [pair[1]])


def test_the_signature_of_another_bundle_is_noticed(signed: Path, bundle: Path, pair: Pair) -> None:
    (bundle / "model.sig").write_bytes((signed / "model.sig").read_bytes())
    with pytest.raises(BundleTampered):
        verify_bundle(bundle, [pair[1]])


def test_a_changed_statement_is_noticed(signed: Path, pair: Pair) -> None:
    (signed / "configs" / "a.json").write_text('{"b": 1}')
    write_manifest(signed, name="small", version="1")
    forged = sign_forged(signed)
    change(signed, "dsseEnvelope", "payload", to=forged)
    with pytest.raises(BundleSignatureInvalid):
        verify_bundle(signed, [pair[1]])


def sign_forged(signed: Path) -> str:
    """A right statement of the changed files, which the key never signed."""
    envelope = json.loads((signed / "model.sig").read_text())["dsseEnvelope"]
    statement = json.loads(base64.b64decode(envelope["payload"]))
    for item in statement["predicate"]["resources"]:
        item["digest"] = hashlib.sha256((signed / item["name"]).read_bytes()).hexdigest()
    joined = b"".join(bytes.fromhex(item["digest"]) for item in statement["predicate"]["resources"])
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(joined).hexdigest()
    return base64.b64encode(json.dumps(statement).encode()).decode()


def test_a_stranger_who_gives_a_trusted_hint_is_noticed(small: Path, pair: Pair) -> None:
    sign_bundle(small, ec.generate_private_key(ec.SECP256R1()))
    change(small, "verificationMaterial", "publicKey", to={"hint": pair[1].fingerprint})
    with pytest.raises(BundleSignatureInvalid):
        verify_bundle(small, [pair[1]])


def test_a_signature_without_a_hint_is_tried_with_every_key(signed: Path, pair: Pair) -> None:
    change(signed, "verificationMaterial", "publicKey", to={})
    other = PublicKey("other", ec.generate_private_key(ec.SECP384R1()).public_key())
    assert verify_bundle(signed, [other, pair[1]]).signer == pair[1]


@pytest.mark.parametrize(
    ("steps", "to"),
    [
        (("mediaType",), "application/json"),
        (("dsseEnvelope", "payloadType"), "text/plain"),
        (("dsseEnvelope", "signatures"), []),
        (("dsseEnvelope", "signatures", 0, "sig"), "%%%"),
        (("dsseEnvelope", "signatures", 0, "sig"), ""),
        (("dsseEnvelope",), None),
        (("verificationMaterial",), {"certificate": {}}),
    ],
)
def test_what_is_no_signature_of_the_format_is_invalid(
    signed: Path, pair: Pair, steps: tuple[str | int, ...], to: Any
) -> None:
    change(signed, *steps, to=to)
    with pytest.raises(BundleSignatureInvalid):
        verify_bundle(signed, [pair[1]])


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_all_curves_of_the_format_can_sign(small: Path, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    sign_bundle(small, key)
    assert verify_bundle(small, [PublicKey("mine", key.public_key())]).signer.name == "mine"


def test_a_tampered_bundle_is_not_signed(signed: Path, pair: Pair) -> None:
    (signed / "configs" / "a.json").write_text('{"b": 1}')
    with pytest.raises(BundleTampered):
        sign_bundle(signed, pair[0])
