"""Settings every service has: where its neighbours are, whom it trusts, where bytes go.

All come from `CONSILIUM_*` environment variables, texts also from the file that `<VARIABLE>_FILE` names. A service
adds its own in `services/<name>/settings.py`; the composition root sets the environment, so that embedded and
distributed differ in settings alone.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.secret_files import FiledSettings

DEFAULT_TENANT = "default"


class CommonSettings(FiledSettings):
    """What all services of one suite share (`CONSILIUM_…`)."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_", frozen=True, extra="ignore")

    tenant: str = DEFAULT_TENANT
    """The organisation whose data this suite holds. Under another name than the default one, tokens of the OIDC server
    must carry it (`tenant`)."""
    auth_issuer: str = "consilium-dev"
    """`iss` that a token must carry."""
    auth_audience: str = "consilium"
    """`aud` that a token must carry."""
    auth_jwks_file: Path | None = None
    """Public keys of the issuer (JWK Set), re-read when the file changes."""
    oidc_issuer: str = ""
    """`iss` of the OIDC server from which people and systems have their tokens; empty: they have them from
    `auth_issuer`. With it, `auth_issuer` vouches for our own services alone."""
    oidc_jwks_url: str = ""
    """That server's `jwks_uri`; asked again when a key is unknown or the keys are ten minutes old."""
    oidc_role_claim: str = "role"
    """Where its tokens name the role, a text or a list; dots lead into objects (`realm_access.roles`)."""
    service_token_file: Path | None = None
    """The bearer token with which services call one another, re-read when the file changes."""
    pseudonym_key_file: Path | None = None
    """32 secret bytes (hex) from which patients' pseudonyms in the audit log are derived."""
    blob_url: str = "file:///tmp/consilium/blobs"
    """`file:///dir` or `s3://bucket/prefix` (endpoint and keys from the usual AWS_* variables)."""
    keys_database_url: str = ""
    """Where the data keys are under which blobs are encrypted, wrapped. Keep its backups apart from those of the other
    databases and of the blobs, and for a short time: a backup that holds a destroyed key undoes its destruction."""
    key_encryption_key_file: Path | None = None
    """32 secret bytes (hex) under which data keys are wrapped."""
    key_encryption_kms_key: str | None = None
    """Instead of the file: id, alias or ARN of a symmetric key in a service that speaks the API of AWS KMS."""
    broker_url: str = "redis://127.0.0.1:6379/0"
    """Celery's broker. It carries job ids only and may be lost at any time."""

    imaging_url: str = "http://127.0.0.1:8080"
    notes_url: str = "http://127.0.0.1:8080"
    vitals_url: str = "http://127.0.0.1:8080"
    diagnosis_url: str = "http://127.0.0.1:8080"
    audit_url: str = "http://127.0.0.1:8080"
    ehr_url: str = "http://127.0.0.1:8080"
    review_url: str = "http://127.0.0.1:8080"
    public_url: str = "http://127.0.0.1:8080"
    """The one origin under which people and other systems reach the suite; links in cards and resources lead there."""
    consent_at_ingest: bool = True
    """Whether every door asks, before it stores evidence, if the patient's consents permit that. Off: denials of
    storing (RECORDMGT) have no effect, and the doors do not need the audit service to be there."""
    rate_limit_per_s: float = Field(default=500.0, ge=0)
    """Requests a second that one caller may send to one process, ten times that at once; 0: any. Services are free."""
    hsts_s: int = Field(default=0, ge=0)
    """`max-age` of Strict-Transport-Security in seconds, for a suite behind TLS; 0: the header is left out."""
    log_level: str = "INFO"


class ServiceSettings(FiledSettings):
    """The base of each service's own settings (`CONSILIUM_<SERVICE>_…`)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str
    """SQLAlchemy URL. On PostgreSQL each service lives in its own schema, named by `options=-csearch_path=…`."""
