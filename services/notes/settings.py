"""Settings of the notes service (`CONSILIUM_NOTES_…`)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.notes.document_types import DOCUMENT_TYPES
from shared.hl7v2.settings import MllpSettings


class Settings(MllpSettings):
    """What the notes service needs beside the common settings."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_NOTES_", frozen=True, extra="ignore")

    max_text_bytes: int = Field(default=2**20, gt=0)
    """A longer text (UTF-8) is answered 413."""

    document_codes: Mapping[str, str] = {}
    """The site's own document codes -> LOINC, as JSON: in CDA, and in TXA-2, OBX-3 and OBR-4 of HL7 v2."""

    mllp_enabled: bool = True
    mllp_port: int = Field(default=2575, ge=0, le=65535)

    @field_validator("document_codes")
    @classmethod
    def _are_document_types(cls, codes: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(codes.values()) - set(DOCUMENT_TYPES))
        if unknown:
            raise ValueError(f"maps to {', '.join(unknown)}: no LOINC document types known here")
        return codes

    @property
    def max_body_bytes(self) -> int:
        """A longer body is answered 413 before it is read: every byte of the text may be escaped as six."""
        return 6 * self.max_text_bytes + 2**14
