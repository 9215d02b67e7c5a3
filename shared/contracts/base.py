"""The base of all wire models: camelCase on the wire, snake_case in Python, nothing unknown let through."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("no time that the calendar has in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with a zone, in UTC. At both ends of the calendar there are times that have none."""


class Wire(BaseModel):
    """A model that crosses a process boundary."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)


class Modality(StrEnum):
    """The kinds of evidence a case is made of."""

    IMAGE = "image"
    NOTE = "note"
    VITALS = "vitals"


class Purpose(StrEnum):
    """Why data are used (HL7 v3 PurposeOfUse)."""

    TREAT = "TREAT"
    """Treatment of this patient."""
    HRESCH = "HRESCH"
    """Health-care research."""
    HOPERAT = "HOPERAT"
    """Health-care operations."""
    BTG = "BTG"
    """Break the glass: emergency access against a denial."""
    ETREAT = "ETREAT"
    """Emergency treatment, which may need what was denied to treatment."""
    RECORDMGT = "RECORDMGT"
    """Records management: that evidence of the patient is stored at all."""


class CodeOut(Wire):
    """A coded concept."""

    system: str
    code: str
    display: str
