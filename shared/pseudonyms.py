"""Names for patients and contents that the audit log may hold: keyed, so that nobody can guess back.

A bare hash of a patient identifier or of a short note can be reversed by trying all candidates; an HMAC under a secret
of this suite cannot.
"""

from __future__ import annotations

import hmac
from pathlib import Path

from shared.secret_files import read_secret

KEY_BYTES = 32


class Pseudonymiser:
    """Derives pseudonyms under one suite's secret.

    Raises: ValueError: the key is shorter than 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"the pseudonym key needs {KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key

    @classmethod
    def from_file(cls, path: Path | None) -> Pseudonymiser:
        """Read the key from a file of hex digits.

        Raises: ValueError: no file is configured, or its content is not a key.
        """
        if path is None:
            raise ValueError("set CONSILIUM_PSEUDONYM_KEY_FILE to a file with 64 hex digits")
        return cls(bytes.fromhex(read_secret(path)))

    def patient(self, tenant: str, patient: str) -> str:
        """`pat-` and 32 hex digits: the same patient of the same tenant always gets the same one."""
        return "pat-" + self._mac("patient", f"{tenant}\x1f{patient}")[:32]

    def content(self, digest: str) -> str:
        """`hmac:` and 64 hex digits that commit to a content digest without letting anyone guess the content."""
        return "hmac:" + self._mac("content", digest)

    def seal(self, text: str) -> str:
        """32 hex digits that come back with a text which we hand out, to show that it is ours and unchanged."""
        return self._mac("seal", text)[:32]

    def _mac(self, use: str, text: str) -> str:
        return hmac.digest(self._key, f"{use}\x1f{text}".encode(), "sha256").hex()
