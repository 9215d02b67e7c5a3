"""What a suite's directory holds, and the environment its processes get.

```
DATA_DIR/
  secrets/   issuer key and JWK Set, service token, pseudonym key, key for data keys, log signing key   (0600)
  db/        SQLite files (embedded) or the PostgreSQL cluster (distributed)
  blobs/     images, heat maps, manifests, by digest, encrypted
  keys/      the data keys of the blobs, wrapped; not for the same backups
  erasures.jsonl   who was erased, by pseudonym; not for the same backups either
  logs/      one file per process
  suite.lock held while a suite runs here
```
"""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from services.suite.services import SERVICES
from shared.auth import DevIssuer, Role, write_secret

SERVICE_TOKEN_LIFETIME = timedelta(hours=24)
TOKEN_RENEWAL_S = 6 * 3600
DEFAULT_DATA_DIR = Path.home() / ".local" / "share" / "consilium"


@dataclass(frozen=True)
class Ports:
    """Where a suite listens."""

    http: int
    dimse: int = 0
    mllp: int = 0
    """HL7 v2 for the notes service; 0 is any free port."""
    vitals_mllp: int | None = None
    """HL7 v2 for the vitals service; None: it does not listen."""


class DirectoryInUse(Exception):
    """Another suite runs on this data directory."""


@dataclass(frozen=True)
class DataDirectory:
    """Paths inside one suite's directory."""

    root: Path

    @property
    def secrets(self) -> Path:
        """Keys and tokens."""
        return self.root / "secrets"

    @property
    def databases(self) -> Path:
        """SQLite files or the PostgreSQL cluster."""
        return self.root / "db"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def issuer(self) -> DevIssuer:
        """The development token issuer of this suite."""
        return DevIssuer(self.secrets)

    @property
    def service_token(self) -> Path:
        """The token with which the services call one another."""
        return self.secrets / "service.token"

    @property
    def pseudonym_key(self) -> Path:
        """The key that patients' pseudonyms are made with."""
        return self.secrets / "pseudonym.key"

    @property
    def key_encryption_key(self) -> Path:
        """The key that wraps data keys, where no other is named."""
        return self.secrets / "key-encryption.key"

    @property
    def keys_database(self) -> Path:
        """The database of data keys, where no other is named."""
        return self.root / "keys" / "keys.db"

    def prepare(self) -> None:
        """Make directories and secrets that are not there yet."""
        for directory in (self.root, self.databases, self.logs):
            directory.mkdir(parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        self.issuer.create()
        for path in (self.pseudonym_key, self.key_encryption_key):
            if not path.exists():
                write_secret(path, secrets.token_hex(32))
        self.renew_service_token()

    def renew_service_token(self) -> None:
        """Write a fresh service token; called at start and every few hours after."""
        token = self.issuer.mint(Role.SERVICE, subject="consilium-suite", lifetime=SERVICE_TOKEN_LIFETIME)
        write_secret(self.service_token, token)

    def lock(self) -> IO[str]:
        """Take the directory for one suite; the lock goes with the process, however it ends.

        Raises: DirectoryInUse.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        file = (self.root / "suite.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise DirectoryInUse(f"another suite runs on {self.root}: stop it, or choose another --data-dir") from error
        return file


def key_settings(data: DataDirectory) -> dict[str, str]:
    """Where data keys lie and, unless a key management service does, what wraps them: a file beside one is refused."""
    settings = {
        "CONSILIUM_KEYS_DATABASE_URL": os.environ.get("CONSILIUM_KEYS_DATABASE_URL")
        or f"sqlite:///{data.keys_database}"
    }
    if not any(os.environ.get(f"CONSILIUM_KEY_ENCRYPTION_KMS_KEY{suffix}") for suffix in ("", "_FILE")):
        named = os.environ.get("CONSILIUM_KEY_ENCRYPTION_KEY_FILE")
        settings["CONSILIUM_KEY_ENCRYPTION_KEY_FILE"] = named or str(data.key_encryption_key)
    return settings


def common_environment(
    data: DataDirectory, broker_url: str, public_url: str, urls: dict[str, str], ports: Ports
) -> dict[str, str]:
    """`CONSILIUM_*` settings that every process of a suite gets."""
    environment = key_settings(data) | {
        "CONSILIUM_AUTH_JWKS_FILE": str(data.issuer.jwks_file),
        "CONSILIUM_SERVICE_TOKEN_FILE": str(data.service_token),
        "CONSILIUM_PSEUDONYM_KEY_FILE": str(data.pseudonym_key),
        "CONSILIUM_AUDIT_ERASURE_JOURNAL": os.environ.get("CONSILIUM_AUDIT_ERASURE_JOURNAL")
        or str(data.root / "erasures.jsonl"),
        "CONSILIUM_AUDIT_SIGNING_KEY_FILE": str(data.secrets / "log-signing.key"),
        "CONSILIUM_AUDIT_PUBLIC_KEY_FILE": str(data.root / "log.vkey"),
        # This machine has one operator, and the bundle that comes along is to answer at the first start.
        "CONSILIUM_AUDIT_MODEL_LOCAL_ACTIVATION": os.environ.get("CONSILIUM_AUDIT_MODEL_LOCAL_ACTIVATION", "true"),
        "CONSILIUM_BLOB_URL": os.environ.get("CONSILIUM_BLOB_URL") or f"file://{data.root / 'blobs'}",
        "CONSILIUM_BROKER_URL": broker_url,
        "CONSILIUM_PUBLIC_URL": public_url,
        "CONSILIUM_IMAGING_DIMSE_PORT": str(ports.dimse),
        "CONSILIUM_NOTES_MLLP_PORT": str(ports.mllp),
        # The networks are small: a second thread gains nothing, and threads that wait actively starve their neighbours
        # (measured: one prediction 0.2 s with one thread, up to 17 s with two beside a busy process).
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "OMP_WAIT_POLICY": "PASSIVE",
        # glibc gives threads arenas of their own, eight for each core, and none gives back what it held at its peak
        # (measured: 51 MiB after 60 associations, 0.1 with two arenas).
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        "PYTHONUNBUFFERED": "1",
    }
    if ports.vitals_mllp is not None:
        environment["CONSILIUM_VITALS_MLLP_ENABLED"] = "true"
        environment["CONSILIUM_VITALS_MLLP_PORT"] = str(ports.vitals_mllp)
    environment |= {f"CONSILIUM_{name.upper()}_URL": url for name, url in urls.items()}
    return environment


def sqlite_urls(data: DataDirectory) -> dict[str, str]:
    """One SQLite file per service: they never wait for one another's locks."""
    return {
        f"CONSILIUM_{s.name.upper()}_DATABASE_URL": f"sqlite:///{data.databases / s.name}.db"
        for s in SERVICES
        if s.has_database
    }


def postgres_urls(database: str) -> dict[str, str]:
    """One schema per service in one PostgreSQL database, chosen by the connection's search path."""
    import sqlalchemy as sa

    url = sa.engine.make_url(database)
    return {
        f"CONSILIUM_{s.name.upper()}_DATABASE_URL": url.update_query_dict(
            {"options": f"-csearch_path={s.name}"}
        ).render_as_string(hide_password=False)
        for s in SERVICES
        if s.has_database
    }
