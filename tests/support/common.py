"""What a service needs to run in a test: a real issuer, real secrets, a directory of its own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from shared.auth import DevIssuer, Role, write_secret
from shared.settings import CommonSettings

PROJECT_ROOT = Path(__file__).resolve().parents[2]
REFERENCE_DATA = PROJECT_ROOT.parent / "shared" / "data"
"""Real data beside the checkout; tests that use it skip where it is absent."""


@dataclass(frozen=True)
class TestBed:
    """A directory with an issuer and secrets, and the settings that point there."""

    __test__ = False

    directory: Path
    issuer: DevIssuer
    common: CommonSettings

    def headers(self, role: Role = Role.CLINICIAN, subject: str | None = None) -> dict[str, str]:
        """An Authorization header for one role."""
        return {"Authorization": f"Bearer {self.issuer.mint(role, subject=subject)}"}

    def sqlite(self, service: str) -> str:
        """A database URL of its own for one service."""
        return f"sqlite:///{self.directory}/{service}.db"


def make_test_bed(directory: Path, **settings: str) -> TestBed:
    """A test bed in an empty directory; `settings` override those of `CommonSettings`, such as `audit_url`."""
    issuer = DevIssuer(directory / "auth")
    issuer.create()
    for name in ("pseudonym.key", "key-encryption.key"):
        write_secret(directory / name, secrets.token_hex(32))
    write_secret(directory / "service.token", issuer.mint(Role.SERVICE))
    # Services are tested without their neighbours, unless a test says otherwise.
    defaults = {
        "consent_at_ingest": "false",
        "audit_url": "http://127.0.0.1:9",
        "blob_url": f"file://{directory}/blobs",
        "keys_database_url": f"sqlite:///{directory}/keys/keys.db",
    }
    common = CommonSettings(
        auth_jwks_file=issuer.jwks_file,
        service_token_file=directory / "service.token",
        pseudonym_key_file=directory / "pseudonym.key",
        key_encryption_key_file=directory / "key-encryption.key",
        **{**defaults, **settings},  # type: ignore[arg-type]  # strings, which pydantic parses
    )
    return TestBed(directory, issuer, common)
