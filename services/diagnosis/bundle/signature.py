"""Signatures in the OpenSSF Model Signing format v1.0, with a key and without a network.

`model.sig` is a Sigstore bundle (v0.3) around a DSSE envelope (DSSE v1.0.0, protocol.md) around an in-toto statement
(v1) whose predicate `https://model_signing/signature/v1.0` lists the SHA-256 of every file. OpenSSF's own library
`model-signing` reads what this module writes, and the reverse: `test_interoperability.py` has it do so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from services.diagnosis.bundle.errors import (
    BundleKeyUntrusted,
    BundleSignatureInvalid,
    BundleTampered,
    BundleUnsigned,
)
from services.diagnosis.bundle.keys import HASHES, PublicKey, fingerprint_of
from services.diagnosis.bundle.layout import SIGNATURE, FileEntry
from shared.digests import canonical_json

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"


def sign_entries(name: str, entries: Mapping[str, FileEntry], key: ec.EllipticCurvePrivateKey) -> bytes:
    """The content of `model.sig` for these files. The same key and files give the same bytes (RFC 6979)."""
    payload = canonical_json(_statement(name, entries))
    algorithm = ec.ECDSA(HASHES[key.curve.name], deterministic_signing=True)
    signature = key.sign(_pre_authentication(payload), algorithm)
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": fingerprint_of(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle, indent=1).encode() + b"\n"


def check_signature(directory: Path, entries: Mapping[str, FileEntry], keys: Sequence[PublicKey]) -> PublicKey:
    """Which of the keys signed exactly these files.

    Raises:
        BundleUnsigned: there is no `model.sig`.
        BundleKeyUntrusted: it names a key that is not among `keys`.
        BundleSignatureInvalid: it cannot be read, or the signature is not that key's.
        BundleTampered: the files are not those that were signed.
    """
    try:
        content = (directory / SIGNATURE).read_bytes()
    except FileNotFoundError as error:
        raise BundleUnsigned(
            f"{SIGNATURE} is missing: have it signed with `consilium bundle sign`, or get the bundle again."
        ) from error
    hint, payload, signature = _open(content)
    key = _signer(hint, payload, signature, keys)
    if _resources(payload) != {path: entry.digest for path, entry in _signed(entries).items()}:
        raise BundleTampered("The bundle's files are not those that were signed: get it again from its maker.")
    return key


def _statement(name: str, entries: Mapping[str, FileEntry]) -> dict[str, Any]:
    resources = [
        {"name": path, "algorithm": "sha256", "digest": _hex(entry)} for path, entry in _signed(entries).items()
    ]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _root(resources)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [SIGNATURE],
            },
            "resources": resources,
        },
    }


def _signed(entries: Mapping[str, FileEntry]) -> dict[str, FileEntry]:
    """What a signature covers: everything but itself, in the order of the names."""
    return {path: entries[path] for path in sorted(entries) if path != SIGNATURE}


def _hex(entry: FileEntry) -> str:
    return entry.digest.removeprefix("sha256:")


def _root(resources: Sequence[Mapping[str, str]]) -> str:
    """The subject's digest: SHA-256 over the raw digests in order."""
    return hashlib.sha256(b"".join(bytes.fromhex(item["digest"]) for item in resources)).hexdigest()


def _pre_authentication(payload: bytes) -> bytes:
    """What a DSSE signature covers: type and payload with their lengths."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _open(content: bytes) -> tuple[str | None, bytes, bytes]:
    """(key hint, payload, signature) of a `model.sig`."""
    try:
        bundle = json.loads(content)
        envelope = bundle["dsseEnvelope"]
        (signature,) = envelope["signatures"]
        if (bundle["mediaType"], envelope["payloadType"]) != (MEDIA_TYPE, PAYLOAD_TYPE):
            raise ValueError("another media type")
        hint = bundle["verificationMaterial"]["publicKey"].get("hint")
        return hint, _decoded(envelope["payload"]), _decoded(signature["sig"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleSignatureInvalid(
            f"{SIGNATURE} is not a signature of the OpenSSF model signing format made with a key."
        ) from error


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _signer(hint: str | None, payload: bytes, signature: bytes, keys: Sequence[PublicKey]) -> PublicKey:
    """The hint only chooses among trusted keys; what counts is the signature."""
    candidates = [key for key in keys if hint in (None, key.fingerprint)]
    if not candidates:
        raise BundleKeyUntrusted(
            f"It is signed with the key {str(hint)[:16]}…, which is not trusted here. If you know whose it is, put its "
            "public half into CONSILIUM_DIAGNOSIS_TRUSTED_KEYS_DIR."
        )
    for key in candidates:
        try:
            key.key.verify(signature, _pre_authentication(payload), ec.ECDSA(HASHES[key.key.curve.name]))
        except InvalidSignature:
            continue
        return key
    raise BundleSignatureInvalid(f"{SIGNATURE} was changed or made with another key: get the bundle again.")


def _resources(payload: bytes) -> dict[str, str]:
    """Path -> `sha256:<hex>` of a signed statement."""
    try:
        statement = json.loads(payload)
        predicate = statement["predicate"]
        resources = predicate["resources"]
        if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, PREDICATE_TYPE):
            raise ValueError("another statement")
        if predicate["serialization"]["method"] != "files" or any(r["algorithm"] != "sha256" for r in resources):
            raise ValueError("digests of another kind")
        (subject,) = statement["subject"]
        if subject["digest"]["sha256"] != _root(resources):
            raise ValueError("the digests do not add up to the subject's")
        found = {item["name"]: f"sha256:{item['digest']}" for item in resources}
        if len(found) != len(resources):
            raise ValueError("a file is named twice")
    except (ValueError, KeyError, TypeError) as error:
        raise BundleSignatureInvalid(f"{SIGNATURE} signs a statement that this version does not know.") from error
    return found
