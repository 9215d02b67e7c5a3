"""Settings of a door for HL7 v2 (`CONSILIUM_<SERVICE>_MLLP_…`)."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from shared.settings import ServiceSettings


class MllpSettings(ServiceSettings):
    """What a service with a listener for MLLP needs beside its other settings."""

    mllp_enabled: bool
    """Whether this process listens for HL7 v2 messages over MLLP."""
    mllp_host: str = "127.0.0.1"
    """The address that the listener binds. MLLP carries no token: open it to the interface engine's network only."""
    mllp_port: int = Field(ge=0, le=65535)
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

    def variable(self, field: str) -> str:
        """The environment variable of a setting, to name it in a remedy."""
        return f"{self.model_config['env_prefix']}{field.upper()}"
