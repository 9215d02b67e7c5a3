"""Settings of the audit service (`CONSILIUM_AUDIT_…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

ConsentRule = Literal["opt-in", "opt-out"]


class Settings(ServiceSettings):
    """What the audit service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_AUDIT_", frozen=True, extra="ignore")

    signing_key_file: Path
    """The log's Ed25519 private key (32 bytes in hex), made at the first start, readable by its owner only."""
    public_key_file: Path
    """The matching C2SP verifier key line; hand it to whoever checks receipts."""
    second_signing_key_file: Path | None = None
    """Another Ed25519 key that signs beside the first, while the one is changed for the other."""
    ml_dsa_key_file: Path | None = None
    """An ML-DSA-44 key that signs as well, made at the first start."""
    origin: str = "consilium.local/log"
    """The log's name in its checkpoints. It never changes during the life of a log."""
    consent_policy: dict[str, ConsentRule] = {}
    """Per purpose, what counts without a consent: `opt-in` (nothing, the default) or `opt-out` (everything)."""
    release_barrier: bool = True
    """Whether a withdrawal waits until the diagnosis service can release nothing on an older decision. Off only where
    there is no diagnosis service."""
    break_glass_open_minutes: int = Field(default=60, ge=1, le=24 * 60)
    """How long an access that broke the glass lasts."""
    break_glass_review_within_hours: int = Field(default=24, ge=1, le=30 * 24)
    """Within how many hours another person has to review it."""
    retention_years: int | None = Field(default=None, ge=6, le=100)
    """How long entries must be kept at least (45 CFR 164.316(b)(2)(i): six years). None: for ever. It is what
    `GET /audit/retention` tells by; nothing is ever deleted by it."""
    erasure_journal: Path | None = None
    """Where erasures are written down outside of all databases; beside the private key unless it is set. Keep it where
    the databases' backups are not."""
    erasure_services: tuple[str, ...] = ("imaging", "notes", "vitals", "diagnosis", "ehr")
    """The services that are told to erase. Fewer only where they are not there."""
    max_pending_events: int = Field(default=20_000, ge=1_000)
    """Events waiting for the sequencer beyond which callers are told to come back later."""
    max_batch_events: int = Field(default=1_000, gt=0)
    """Events that one commit numbers."""
    model_subgroup_floor: float = Field(default=0.7, ge=0.5, le=1.0)
    """What the lower end of the interval of every subgroup's macro AUROC must reach before a bundle may be promoted."""
    model_local_activation: bool = False
    """Whether a suite in which nobody has ever approved a bundle may activate the one that it came with: for trying on
    one machine. Off, the first bundle too needs its gates and the approvals of two people."""
    witness_policy_file: Path | None = None
    """Witnesses, their addresses and the quorum (C2SP tlog-policy); without it nobody is asked."""
