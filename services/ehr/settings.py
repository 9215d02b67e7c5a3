"""Settings of the ehr service (`CONSILIUM_EHR_…`)."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class EhrSettings(ServiceSettings):
    """Where the cards and their feedback are kept, and under which address hospital systems reach this service."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_EHR_", frozen=True, extra="ignore")

    public_url: str | None = None
    """Origin that callers use, without a path, where it differs from `CONSILIUM_EHR_URL` (a gateway in front)."""
    max_body_bytes: int = 8 * 2**20
    """A longer request is answered 413; a note in base64 is a third longer than its text."""
    search_limit: int = 50
    """Most results in one searchset; `_count` may ask for fewer."""
