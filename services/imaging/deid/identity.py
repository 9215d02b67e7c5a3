"""Who a patient and what an object is in research: names that stay the same and that nobody can turn back."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from shared.pseudonyms import KEY_BYTES
from shared.secret_files import read_secret

MOST_DAYS = 3650
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")


@dataclass(frozen=True)
class ResearchIdentity:
    """Derives research identities under one installation's secret.

    The key is derived from the suite's pseudonym key for this use alone, so that research data cannot be matched with
    the audit log by its pseudonyms.
    """

    key: bytes
    tenant: str

    @classmethod
    def from_file(cls, path: Path | None, tenant: str) -> ResearchIdentity:
        """Raises: ValueError: no key file is configured, or its content is not a key of 32 bytes."""
        if path is None:
            raise ValueError("set CONSILIUM_PSEUDONYM_KEY_FILE to a file with 64 hex digits")
        secret = bytes.fromhex(read_secret(path))
        if len(secret) < KEY_BYTES:
            raise ValueError(f"the pseudonym key needs {KEY_BYTES} bytes, this one has {len(secret)}")
        return cls(hmac.digest(secret, b"research-export", "sha256"), tenant)

    def uid(self, uid: str) -> str:
        """A UID under 2.25 (PS3.5 section B.2) for a UID: 122 bits of a keyed digest in the form of a UUID."""
        digest = bytearray(self._mac("uid", uid)[:16])
        digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80  # RFC 9562 section 5.8
        return f"2.25.{int.from_bytes(digest, 'big')}"

    def patient(self, patient: str) -> str:
        """`R-` and 16 characters for a patient of this tenant."""
        return "R-" + self._mac("patient", patient).hex()[:16].upper()

    def shifted(self, day: str, patient: str) -> str:
        """A date `YYYYMMDD`, the same 1 to 3650 days earlier for all dates of one patient; empty where it is none."""
        matched = _DATE.fullmatch(day)
        if matched is None:
            return ""
        days = 1 + int.from_bytes(self._mac("days", patient)[:8], "big") % MOST_DAYS
        try:
            return (date(*map(int, matched.groups())) - timedelta(days)).strftime("%Y%m%d")
        except (ValueError, OverflowError):
            return ""

    def _mac(self, use: str, value: str) -> bytes:
        return hmac.digest(self.key, f"{use}\x1f{self.tenant}\x1f{value}".encode(), "sha256")
