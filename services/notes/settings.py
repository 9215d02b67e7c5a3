"""Settings of the notes service (`CONSILIUM_NOTES_…`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.notes.document_types import DOCUMENT_TYPES
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the notes service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_NOTES_", frozen=True, extra="ignore")

    max_text_bytes: int = Field(default=2**20, gt=0)
    """A longer text (UTF-8) is answered 413."""

    document_codes: Mapping[str, str] = {}
    """The site's own document codes -> LOINC, as JSON: in CDA, and in TXA-2, OBX-3 and OBR-4 of HL7 v2."""

    mllp_enabled: bool = True
    """Whether this process listens for HL7 v2 messages over MLLP."""
    mllp_host: str = "127.0.0.1"
    """The address that the listener binds. MLLP carries no token: open it to the interface engine's network only."""
    mllp_port: int = Field(default=2575, ge=0, le=65535)
    """0 takes any free port, to be read at `app.state.mllp_port`."""
    mllp_max_connections: int = Field(default=64, gt=0)
    """Connections served at once; one more is closed."""
    mllp_idle_timeout_s: float = Field(default=300.0, gt=0)
    """A peer silent for longer is dropped."""
    mllp_max_message_bytes: int = Field(default=4 * 2**20, gt=0)
    """A longer message is rejected, and its connection closed."""
    mllp_processing_ids: str = Field(default="P", pattern="^[PTD]{1,3}$")
    """What MSH-11 may say: P production, T training, D debugging."""
    mllp_charset: Literal["ASCII", "UNICODE UTF-8", "8859/1", "8859/15"] = "ASCII"
    """The character set of messages that name none (MSH-18); ASCII is the standard's rule."""
    mllp_time_zone: str | None = None
    """The zone of times without offset in messages whose MSH-7 has none, such as Europe/Berlin; unset, they are
    refused."""

    @field_validator("document_codes")
    @classmethod
    def _are_document_types(cls, codes: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(codes.values()) - set(DOCUMENT_TYPES))
        if unknown:
            raise ValueError(f"maps to {', '.join(unknown)}: no LOINC document types known here")
        return codes

    @field_validator("mllp_time_zone")
    @classmethod
    def _is_a_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError):
                raise ValueError("is no time zone of the IANA database, such as Europe/Berlin") from None
        return name

    @property
    def mllp_zone(self) -> ZoneInfo | None:
        """The site's time zone."""
        return ZoneInfo(self.mllp_time_zone) if self.mllp_time_zone else None

    @property
    def max_body_bytes(self) -> int:
        """A longer body is answered 413 before it is read: every byte of the text may be escaped as six."""
        return 6 * self.max_text_bytes + 2**14
