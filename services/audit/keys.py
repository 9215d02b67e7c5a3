"""The log's signing keys: made once, kept in files only their owner can read.

One Ed25519 key signs. While it is changed for another a second one signs beside it, so that whoever holds either public
key can check. An ML-DSA-44 key may sign as well, against the day when Ed25519 can be forged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from shared.auth import write_secret
from shared.secret_files import read_secret
from shared.tlog.cosignature import MlDsaCosigner
from shared.tlog.note import NoteKey, NoteSigner, VerifierKey, parse_verifier_key


@dataclass(frozen=True)
class LogSigner:
    """Signs checkpoints with every key that the log has, one line each."""

    main: NoteSigner
    second: NoteSigner | None = None
    post_quantum: MlDsaCosigner | None = None

    @property
    def verifier_key(self) -> VerifierKey:
        """The public half of the main key, whose name is the log's."""
        return self.main.verifier_key

    @property
    def verifier_keys(self) -> Sequence[NoteKey]:
        """All public halves, the main one first."""
        keys: list[NoteKey] = [self.main.verifier_key]
        if self.second is not None:
            keys.append(self.second.verifier_key)
        if self.post_quantum is not None:
            keys.append(self.post_quantum.key)
        return keys

    def sign(self, text: str) -> str:
        """The whole note. It holds no time, so that signing the same tree again says nothing new."""
        note = self.main.sign(text)
        if self.second is not None:
            note += self.second.line(text)
        if self.post_quantum is not None:
            note += self.post_quantum.line(text, 0)
        return note


def open_signer(
    origin: str,
    signing_key_file: Path,
    public_key_file: Path,
    second_key_file: Path | None = None,
    ml_dsa_key_file: Path | None = None,
) -> LogSigner:
    """The signer of this log, with new keys where there are none yet; the main public key is written beside its own.

    Raises: ValueError: a key file is unreadable, the public key on file belongs to another private key, or there is no
        ML-DSA here.
    """
    if not signing_key_file.exists() and public_key_file.exists():
        raise ValueError(
            f"the log's private key {signing_key_file} is missing although its public key is there: restore it"
        )
    signer = LogSigner(
        _open_ed25519(origin, signing_key_file),
        _open_ed25519(origin, second_key_file) if second_key_file else None,
        _open_ml_dsa(origin, ml_dsa_key_file) if ml_dsa_key_file else None,
    )
    if not public_key_file.exists():
        public_key_file.parent.mkdir(parents=True, exist_ok=True)
        public_key_file.write_text(f"{signer.verifier_key}\n")
    elif parse_verifier_key(public_key_file.read_text()) != signer.verifier_key:
        raise ValueError(f"{public_key_file} is not the public key of this log's origin and private key")
    return signer


def _open_ed25519(origin: str, file: Path) -> NoteSigner:
    seed = _seed(file, lambda: Ed25519PrivateKey.generate().private_bytes_raw())
    return NoteSigner(origin, Ed25519PrivateKey.from_private_bytes(seed))


def _open_ml_dsa(origin: str, file: Path) -> MlDsaCosigner:
    try:
        seed = _seed(file, lambda: MLDSA44PrivateKey.generate().private_bytes_raw())
        return MlDsaCosigner(origin, MLDSA44PrivateKey.from_seed_bytes(seed))
    except UnsupportedAlgorithm as error:
        raise ValueError("this build of `cryptography` has no ML-DSA-44: leave that key out") from error


def _seed(file: Path, generate: Callable[[], bytes]) -> bytes:
    """The secret in a file of hex digits, made if there is no file."""
    if not file.exists():
        write_secret(file, generate().hex() + "\n")
    return bytes.fromhex(read_secret(file))
