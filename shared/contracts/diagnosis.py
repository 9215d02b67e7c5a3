"""What the diagnosis service answers: the result of one case, as the public contract fixes it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from shared.contracts.base import CodeOut, Modality, Wire
from shared.intake import patient_problem


def _patient(value: str) -> str:
    found = patient_problem(value)
    if found is not None:
        raise ValueError(f"{found.problem}: {found.fix}")
    return value


class JobStatus(StrEnum):
    """Where a diagnosis stands. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    ABSTAINED = "abstained"
    FAILED = "failed"


class Source(StrEnum):
    """What a result rests on: the kinds of evidence, and what evidence states of the patient."""

    IMAGE = "image"
    NOTE = "note"
    VITALS = "vitals"
    TABULAR = "tabular"
    """Age, sex and laboratory values. They help to read the rest and are never advised from alone."""


class ModalityStatus(StrEnum):
    """What became of one modality."""

    USED = "used"
    MISSING = "missing"
    NO_CONSENT = "no-consent"
    REJECTED = "rejected"


class DiagnosisRequest(Wire):
    """`POST /diagnoses`."""

    patient: Annotated[str, AfterValidator(_patient)]
    as_of: AwareDatetime | None = None
    """The case as it was known then; default: the time of the patient's newest evidence."""
    priority: Literal["stat", "routine"] = "routine"
    modalities: list[Modality] | None = Field(default=None, min_length=1)
    """Use only these; default: all."""


class CaseOut(Wire):
    digest: str
    """Of the manifest: same manifest and bundle, same result."""
    as_of: datetime
    patient: str


class ModelOut(Wire):
    bundle: str
    version: str
    digest: str


class OutOfDistribution(Wire):
    score: float
    """Conformal p-value complement in [0, 1]: 1 means unlike anything the encoder was trained on."""
    flagged: bool


class ModalityOut(Wire):
    status: ModalityStatus
    evidence: list[str] = []
    quality: dict[str, Any] = {}
    ood: OutOfDistribution | None = None


class RankedDiagnosis(Wire):
    code: CodeOut
    probability: float
    interval: tuple[float, float]


class PredictionSet(Wire):
    coverage: float
    codes: list[str]
    guarantee: str
    """What the coverage holds for, such as `pattern x class`, or that it does not hold."""


class Uncertainty(Wire):
    """Entropies in nats; total = aleatoric + epistemic."""

    total: float
    aleatoric: float
    epistemic: float


class Risk(Wire):
    probability: float
    interval: tuple[float, float]


class ModalityExplanation(Wire):
    """base + sum(contributions) = log-odds of the calibrated probability of `code` (exact Shapley values)."""

    code: str
    scale: Literal["log-odds"] = "log-odds"
    base: float
    contributions: dict[str, float]
    interactions: dict[str, float] = {}
    """Pairwise Shapley interaction indices, keyed `image+note`."""


class Region(Wire):
    """A rectangle in pixels of the original image, with its share of the image's contribution (log-odds)."""

    x: float
    y: float
    width: float
    height: float
    contribution: float


class ImageExplanation(Wire):
    instance: str
    """SOP Instance UID."""
    heatmap: str
    """URL of a PNG (RGBA) to lay over the whole image."""
    regions: list[Region]


class NoteSpan(Wire):
    """Characters [start, end) of the note and what they contributed (log-odds)."""

    start: int
    end: int
    contribution: float
    negated: bool


class NoteExplanation(Wire):
    id: str
    spans: list[NoteSpan]


class VitalsExplanation(Wire):
    code: str
    """LOINC code of the variable."""
    from_: datetime = Field(alias="from")
    to: datetime
    contribution: float


class FactExplanation(Wire):
    code: str
    """LOINC code: age, sex or a laboratory test."""
    contribution: float


class SummarySentence(Wire):
    text: str
    evidence: list[str]
    """Ids of the evidence it rests on; empty only where the sentence speaks of the model itself."""


class SimilarCase(Wire):
    case: str
    similarity: float
    diagnosis: CodeOut | None = None


class Explanation(Wire):
    modalities: ModalityExplanation | None = None
    images: list[ImageExplanation] = []
    notes: list[NoteExplanation] = []
    vitals: list[VitalsExplanation] = []
    tabular: list[FactExplanation] = []
    similar: list[SimilarCase] = []
    summary: list[SummarySentence] = []


class AuditReceipt(Wire):
    index: int
    leaf_hash: str
    receipt: str | None = None
    """URL of the receipt that `consilium audit verify` checks."""


class Timings(Wire):
    """Milliseconds."""

    queued: float
    fetch: float
    encode: float
    fuse: float
    explain: float
    total: float


class DiagnosisResult(Wire):
    """`GET /diagnoses/{id}` when `succeeded` or `abstained`."""

    case: CaseOut
    model: ModelOut
    modalities: dict[Source, ModalityOut]
    diagnoses: list[RankedDiagnosis]
    prediction_set: PredictionSet | None
    uncertainty: Uncertainty | None
    abstained: bool
    reasons: list[str]
    risks: dict[str, Risk]
    explanation: Explanation
    audit: AuditReceipt | None = None
    timings: Timings


class DiagnosisOut(Wire):
    """`GET /diagnoses/{id}` at any time: the job, and the result's fields beside it once there are any."""

    id: str
    status: JobStatus
    patient: str
    created_at: datetime
    priority: Literal["stat", "routine"]
    stage: str | None = None
    error: str | None = None
    case: CaseOut | None = None
    model: ModelOut | None = None
    modalities: dict[Source, ModalityOut] | None = None
    diagnoses: list[RankedDiagnosis] | None = None
    prediction_set: PredictionSet | None = None
    uncertainty: Uncertainty | None = None
    abstained: bool | None = None
    reasons: list[str] | None = None
    risks: dict[str, Risk] | None = None
    explanation: Explanation | None = None
    audit: AuditReceipt | None = None
    timings: Timings | None = None


class FeedbackIn(Wire):
    """`POST /diagnoses/{id}/feedback`: what the clinician made of it."""

    action: Literal["accept", "override", "comment"]
    code: str | None = Field(default=None, max_length=64)
    """SNOMED CT code of the clinician's own diagnosis; needed for `override`."""
    text: str | None = Field(default=None, max_length=4000)


class ResultsQuestion(Wire):
    """`POST /internal/diagnosis/results` (role service): finished diagnoses of a patient, or by id."""

    patient: str | None = Field(default=None, min_length=1, max_length=64)
    ids: list[str] | None = Field(default=None, max_length=200)
    limit: int = Field(default=50, ge=1, le=200)
    include_unfinished: bool = False
    """Also those queued, running or failed, for saying "under way" rather than nothing."""


class ResultsList(Wire):
    """The answer: `succeeded` and `abstained` diagnoses (and others if asked for), newest first. Reading is an event
    in the log."""

    items: list[DiagnosisOut]
