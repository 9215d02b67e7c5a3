"""Whose bundles are loaded here: the public keys that ship with the package and those of a directory."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.diagnosis.bundle.errors import SigningKeyUnusable
from services.diagnosis.bundle.keys import PublicKey, local_trusted_keys, read_public_key

SHIPPED_KEYS = Path(__file__).parent / "trusted"


class TrustSettings(BaseSettings):
    """The part of `CONSILIUM_DIAGNOSIS_…` that says whom to trust; every process that reads bundles has it."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_DIAGNOSIS_", frozen=True, extra="ignore")

    trusted_keys_dir: Path | None = None
    """Public keys (`*.pem`) trusted besides the shipped ones. Unset: those of the user, `~/.config/consilium`."""


def trusted_keys(settings: TrustSettings | None = None) -> tuple[PublicKey, ...]:
    """Every key whose signature is enough here.

    Raises: SigningKeyUnusable: the directory that the setting names is missing, or a file in it is no public key.
    """
    named = (settings or TrustSettings()).trusted_keys_dir
    if named is not None and not named.is_dir():
        raise SigningKeyUnusable(f"CONSILIUM_DIAGNOSIS_TRUSTED_KEYS_DIR: there is no directory {named}.")
    directories = (SHIPPED_KEYS, named or local_trusted_keys())
    return tuple(read_public_key(path) for directory in directories for path in sorted(directory.glob("*.pem")))
