"""Settings of the imaging service (`CONSILIUM_IMAGING_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the imaging service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_IMAGING_", frozen=True, extra="ignore")

    dimse_enabled: bool = True
    """Whether this process listens for DICOM associations (C-ECHO, C-STORE)."""
    dimse_host: str = "127.0.0.1"
    """The address that the listener binds. DIMSE carries no token: open it to the hospital's imaging network only."""
    dimse_port: int = Field(default=11112, ge=0, le=65535)
    """0 takes any free port, to be read at `app.state.dimse_port`."""
    ae_title: str = Field(default="CONSILIUM", min_length=1, max_length=16)
    """Our application entity title."""
    require_called_ae_title: bool = False
    """Whether an association that calls another title is rejected."""
    dimse_max_associations: int = Field(default=32, gt=0)
    """Associations served at once; one more is told to come back later."""
    dimse_timeout_s: float = Field(default=60.0, gt=0)
    """A peer silent for longer is dropped."""
    max_body_bytes: int = Field(default=256 * 2**20, gt=0)
    """A longer STOW-RS request is answered 413."""
    max_pixels: int = Field(default=64 * 10**6, gt=0)
    """Rows times columns beyond which an image is refused before it is decoded."""
    max_search_results: int = Field(default=200, gt=0)
    """The most that one QIDO-RS answer lists."""
