"""Settings of the witness (`CONSILIUM_WITNESS_…`)."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What a witness needs; none of the suite's common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_WITNESS_", frozen=True, extra="ignore")

    signing_key_file: Path
    """The witness's Ed25519 private key (32 bytes in hex), made at the first start, readable by its owner only."""
    public_key_file: Path
    """The matching vkey line; hand it to whoever checks cosignatures."""
    name: str = "consilium.local/witness"
    """The witness's name in its cosignatures. It never changes."""
    log_keys_file: Path
    """The vkey lines of the logs that are watched, one a line; several with one name while that log's key changes."""
