"""What crosses the wire at the door for derived values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from services.vitals.derived.domain import Consciousness, Derived, Stated
from services.vitals.schemas import samples_out
from shared.contracts.base import Moment, Wire
from shared.contracts.evidence import VitalSample

INPUTS_TOLD = 1000


class DerivedQuestion(Wire):
    """What can be derived of this patient, as of a time (null = now)?"""

    patient: str = Field(min_length=1, max_length=64)
    as_of: Moment | None = None
    consciousness: Consciousness | None = None
    """Null: from a Glasgow coma score, or unknown."""
    supplemental_oxygen: bool | None = None
    """Null: from the inhaled flow, or unknown."""
    hypercapnic_target: bool = False
    """Saturation is meant to be 88 to 92 %: NEWS2's scale 2. A clinician decides that."""

    def stated(self) -> Stated:
        """What the asker says beside the samples."""
        return Stated(self.consciousness, self.supplemental_oxygen, self.hypercapnic_target)


class DerivedValue(Wire):
    """One derived value, or why there is none."""

    name: str
    value: float | None
    unit: str
    at_least: float | None
    at_most: float | None
    risk: str | None
    parts: dict[str, int | None]
    formula: str
    source: str
    completeness: float
    missing: list[str]
    reason: str | None
    inputs: list[VitalSample]
    """The newest of what went in."""
    input_count: int

    @classmethod
    def from_domain(cls, d: Derived) -> DerivedValue:
        """The value as the asker sees it."""
        return cls(
            name=d.by.name,
            value=d.value,
            unit=d.by.unit,
            at_least=d.at_least,
            at_most=d.at_most,
            risk=d.risk,
            parts=d.parts,
            formula=d.by.words,
            source=d.by.source,
            completeness=d.completeness,
            missing=list(d.missing),
            reason=d.reason,
            inputs=samples_out(d.inputs[-INPUTS_TOLD:]),
            input_count=len(d.inputs),
        )


class DerivedAnswer(Wire):
    """All that this service knows to derive, also what it could not."""

    as_of: datetime
    values: list[DerivedValue]

    @classmethod
    def from_domain(cls, as_of: datetime, found: Sequence[Derived]) -> DerivedAnswer:
        """The values as the asker sees them."""
        return cls(as_of=as_of, values=[DerivedValue.from_domain(d) for d in found])
