"""Settings of the ehr service (`CONSILIUM_EHR_…`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class EhrSettings(ServiceSettings):
    """Where the cards and their feedback are kept, and how much one request may ask."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_EHR_", frozen=True, extra="ignore")

    max_body_bytes: int = 8 * 2**20
    """A longer request is answered 413; a note in base64 is a third longer than its text."""
    search_limit: int = 50
    """Most results in one searchset; `_count` may ask for fewer."""

    attachment_base_url: str | None = Field(default=None, pattern=r"^https?://[^?#@]+$")
    """The FHIR base below which attachments given by `url` (`Binary/<id>`) are fetched; unset, none is."""
    attachment_token_file: Path | None = None
    """A bearer token for that base, and for nothing else."""
    attachment_max_bytes: int = Field(default=4 * 2**20, gt=0)
    """A longer attachment is refused."""
    attachment_timeout_s: float = Field(default=5.0, gt=0)
    """For one attachment, all together."""
