"""All that is checked before a bundle is believed, and the making of a signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.keys import PublicKey
from services.diagnosis.bundle.layout import SIGNATURE, read_entries
from services.diagnosis.bundle.manifest import check_manifest
from services.diagnosis.bundle.signature import check_signature, sign_entries
from services.diagnosis.bundle.trust import trusted_keys


@dataclass(frozen=True)
class Verified:
    """A bundle that is whole, and who vouches for it."""

    identity: BundleIdentity
    signer: PublicKey
    files: int


def verify_bundle(directory: Path, keys: Sequence[PublicKey] | None = None) -> Verified:
    """Every file is what the manifest says, and a trusted key signed all of them.

    Args: keys: whose signature counts; default: `trusted_keys()`.
    Raises: BundleMissing, BundleUnreadable, BundleTampered, BundleUnsigned, BundleSignatureInvalid,
        BundleKeyUntrusted, SigningKeyUnusable.
    """
    entries = read_entries(directory)
    identity = check_manifest(directory, entries)
    signer = check_signature(directory, entries, trusted_keys() if keys is None else keys)
    return Verified(identity, signer, len(entries))


def sign_bundle(directory: Path, key: ec.EllipticCurvePrivateKey) -> BundleIdentity:
    """Vouch for a whole bundle; a signature that was there is replaced. The bundle's digest stays.

    Raises: BundleMissing, BundleUnreadable, BundleTampered: nothing is signed then.
    """
    entries = read_entries(directory)
    identity = check_manifest(directory, entries)
    signature = directory / SIGNATURE
    signature.write_bytes(sign_entries(identity.name, entries, key))
    signature.chmod(0o644)
    return identity
