"""Keys that sign bundles: elliptic curve, PEM, one file each. The private half never leaves its file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.diagnosis.bundle.errors import SigningKeyUnusable

HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
"""The curves of the OpenSSF model signing format, each with the hash that goes with it."""
AskPassword = Callable[[], str]


@dataclass(frozen=True)
class PublicKey:
    """A key that a signature can be checked with."""

    name: str
    """Of its file: what a person calls it."""
    key: ec.EllipticCurvePublicKey

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the key's PEM: the hint that a signature gives."""
        return fingerprint_of(self.key)


def fingerprint_of(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 (hex) of the key in PEM, as the model signing format names it."""
    return hashlib.sha256(_public_pem(key)).hexdigest()


def read_public_key(path: Path) -> PublicKey:
    """Raises: SigningKeyUnusable: not there, or not a public key on P-256, P-384 or P-521."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyUnusable(f"{path} is no readable public key in PEM.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in HASHES:
        raise SigningKeyUnusable(f"{path} is not a key on the curve P-256, P-384 or P-521.")
    return PublicKey(path.stem.removesuffix(".pub"), key)


def read_private_key(path: Path, ask_password: AskPassword | None = None) -> ec.EllipticCurvePrivateKey:
    """The key of a PEM file.

    Args: ask_password: called when the file is encrypted; without it an encrypted file is an error.
    Raises: SigningKeyUnusable.
    """
    try:
        content = path.read_bytes()
        password = ask_password().encode() if ask_password and b"ENCRYPTED" in content else None
        key = serialization.load_pem_private_key(content, password)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyUnusable(f"{path} is no readable private key in PEM: {type(error).__name__}.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in HASHES:
        raise SigningKeyUnusable(f"{path} is not a key on the curve P-256, P-384 or P-521.")
    return key


def make_key_pair(private: Path, public: Path) -> PublicKey:
    """A new key on P-256; the private half is readable by its owner alone (0600).

    Raises: SigningKeyUnusable: one of the files is there already, or cannot be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for path, content, mode in ((private, pem, 0o600), (public, _public_pem(key.public_key()), 0o644)):
        _write_new(path, content, mode)
    return read_public_key(public)


def config_dir() -> Path:
    """Where this user's keys lie: `$XDG_CONFIG_HOME/consilium`, by default `~/.config/consilium`."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "consilium"


def local_key() -> Path:
    """This user's own signing key; made at first use, its public half put where this user's bundles are trusted."""
    private = config_dir() / "signing-key.pem"
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_key_pair(private, _unused(local_trusted_keys(), "local"))
    return private


def trust_key(public: Path, directory: Path) -> Path:
    """Copy a public key to where trusted ones lie.

    Raises: SigningKeyUnusable: it is none.
    """
    key = read_public_key(public)
    place = _unused(directory, key.name)
    _write_new(place, _public_pem(key.key), 0o644)
    return place


def local_trusted_keys() -> Path:
    """Public keys that this user trusts, where no setting names another directory."""
    return config_dir() / "trusted-keys"


def _unused(directory: Path, stem: str) -> Path:
    """`stem.pem`, or `stem-2.pem` and so on where older keys have taken the name."""
    names = (f"{stem}.pem" if number == 1 else f"{stem}-{number}.pem" for number in count(1))
    return next(directory / name for name in names if not (directory / name).exists())


def _public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise SigningKeyUnusable(f"{path} exists already; a key is never overwritten.") from error
    except OSError as error:
        raise SigningKeyUnusable(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
