"""Settings of the vitals service (`CONSILIUM_VITALS_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the vitals service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_VITALS_", frozen=True, extra="ignore")

    max_body_bytes: int = Field(default=64 * 2**20, gt=0)
    """A longer body is answered 413."""
    memory_bytes: int = Field(default=4 * 2**20, gt=0)
    """A longer body waits in an unlinked temporary file until all of it has come."""
    max_rejects_told: int = Field(default=10_000, gt=0)
    """The most rejected lines that one answer lists; it always says how many there were."""
