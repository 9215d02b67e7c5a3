"""Settings of the notes service (`CONSILIUM_NOTES_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the notes service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_NOTES_", frozen=True, extra="ignore")

    max_text_bytes: int = Field(default=2**20, gt=0)
    """A longer text (UTF-8) is answered 413."""

    @property
    def max_body_bytes(self) -> int:
        """A longer body is answered 413 before it is read: every byte of the text may be escaped as six."""
        return 6 * self.max_text_bytes + 2**14
