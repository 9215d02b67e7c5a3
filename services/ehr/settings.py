"""Settings of the ehr service (`CONSILIUM_EHR_…`)."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class EhrSettings(ServiceSettings):
    """Where the cards and their feedback are kept, and how much one request may ask."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_EHR_", frozen=True, extra="ignore")

    max_body_bytes: int = 8 * 2**20
    """A longer request is answered 413; a note in base64 is a third longer than its text."""
    search_limit: int = 50
    """Most results in one searchset; `_count` may ask for fewer."""
