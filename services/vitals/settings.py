"""Settings of the vitals service (`CONSILIUM_VITALS_…`)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.vitals.sources import KINDS, PRIORITY, SourceRules
from shared.hl7v2.settings import MllpSettings


class Settings(MllpSettings):
    """What the vitals service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_VITALS_", frozen=True, extra="ignore")

    max_body_bytes: int = Field(default=64 * 2**20, gt=0)
    """A longer body is answered 413."""
    memory_bytes: int = Field(default=4 * 2**20, gt=0)
    """A longer body waits in an unlinked temporary file until all of it has come."""
    max_rejects_told: int = Field(default=10_000, gt=0)
    """The most rejected lines that one answer lists; it always says how many there were."""

    source_kinds: dict[str, tuple[str, ...]] = Field(default=dict(KINDS))
    """Kind of device -> words in a device's name by which it is known, in small letters."""
    source_priority: dict[str, tuple[str, ...]] = Field(default=dict(PRIORITY))
    """LOINC code -> kinds of device, best first."""

    max_import_bytes: int = Field(default=4 * 2**30, gt=0)
    """A longer file is answered 413."""
    max_unpacked_bytes: int = Field(default=32 * 2**30, gt=0)
    """An archive that would unpack to more is refused."""
    import_batch: int = Field(default=5000, gt=0)
    """Records that one transaction of an import takes."""
    import_lease_s: float = Field(default=15.0, gt=0)
    """How long an import waits for a worker that says nothing more."""
    max_rejects_kept: int = Field(default=100_000, ge=0)
    """The most rejected records of an import that are listed; all are counted."""

    mllp_enabled: bool = False
    mllp_port: int = Field(default=2576, ge=0, le=65535)

    @property
    def sources(self) -> SourceRules:
        """Which source is believed where several measured the same."""
        return SourceRules(self.source_kinds, self.source_priority)
