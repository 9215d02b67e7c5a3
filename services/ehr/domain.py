"""What passes through the door, as plain facts, and the rules about results that do not depend on a format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from shared.codes import NO_ACUTE_DISEASE, PNEUMOTHORAX, PULMONARY_EMBOLISM, SEPSIS
from shared.contracts.diagnosis import DiagnosisOut, JobStatus, RankedDiagnosis

FINISHED = (JobStatus.SUCCEEDED, JobStatus.ABSTAINED)
TIME_CRITICAL = frozenset({PNEUMOTHORAX.code, PULMONARY_EMBOLISM.code, SEPSIS.code})
"""Conditions in which minutes count."""
LIKELY = 0.5


@dataclass(frozen=True)
class ClinicalNote:
    """A note as the notes service takes it."""

    patient: str
    authored: str
    type: str
    text: str
    format: Literal["plain", "cda", "rtf"] = "plain"
    """What `text` is; of a CDA document the notes service keeps the narrative, of rich text the words."""
    names: tuple[str, ...] = ()
    """Of persons, as they stand beside the text. They are not stored."""


@dataclass(frozen=True)
class Sample:
    """One measurement as the vitals service takes it. `element` is where it stood in the Observation (FHIRPath)."""

    patient: str
    code: str
    value: float
    unit: str
    effective: str
    device: str | None
    element: str


@dataclass(frozen=True)
class StoredNote:
    """A note as the notes service knows it."""

    id: str
    digest: str | None
    note: ClinicalNote
    new: bool = True
    """False when the same note was stored before."""
    status: str = "current"
    """Whether it still stands: `current`, `superseded` or `cancelled`."""


@dataclass(frozen=True)
class StoredSamples:
    """What the vitals service made of the samples of one Observation."""

    id: str
    """The same measurements of the same patient always have the same one."""
    new: bool


class Urgency(StrEnum):
    """How a card wants to be seen (CDS Hooks `indicator`)."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


def is_finished(result: DiagnosisOut) -> bool:
    """Whether there is something to show: an answer, or an honest abstention."""
    return result.status in FINISHED and result.case is not None and result.model is not None


def has_answer(result: DiagnosisOut) -> bool:
    """Whether the result names diagnoses; an abstained one ranks them for the record only."""
    return (
        is_finished(result) and result.status is JobStatus.SUCCEEDED and not result.abstained and bool(result.diagnoses)
    )


def concluded(result: DiagnosisOut) -> list[RankedDiagnosis]:
    """The diagnoses a conclusion may name, likeliest first: the prediction set, or the first where there is no set."""
    if not has_answer(result):
        return []
    ranked = result.diagnoses or []
    if result.prediction_set is None:
        return ranked[:1]
    return [one for one in ranked if one.code.code in result.prediction_set.codes]


def urgency(result: DiagnosisOut) -> Urgency:
    """A likely time-critical condition is critical, another likely acute one a warning, all else is for information."""
    if not has_answer(result) or not result.diagnoses:
        return Urgency.INFO
    first = result.diagnoses[0]
    if first.code.code == NO_ACUTE_DISEASE.code or first.probability < LIKELY:
        return Urgency.INFO
    return Urgency.CRITICAL if first.code.code in TIME_CRITICAL else Urgency.WARNING


def available_at(result: DiagnosisOut) -> datetime:
    """When the result was there to be read."""
    return result.created_at + timedelta(milliseconds=result.timings.total if result.timings else 0)


def updated_at(result: DiagnosisOut) -> datetime:
    """When what is said of the result last changed."""
    return result.outdated.since if result.outdated else available_at(result)


def changed_since(result: DiagnosisOut) -> str:
    """That evidence of the case's time changed after the result was computed; empty where none did."""
    if result.outdated is None:
        return ""
    told = dict.fromkeys(change.text for change in result.outdated.changes)
    return " ".join(["The evidence has changed since this was computed.", *told, "Ask for a new assessment."])


def newest(results: Sequence[DiagnosisOut]) -> DiagnosisOut | None:
    """The last one asked for."""
    return max(results, key=lambda one: (one.created_at, one.id), default=None)
