"""What the diagnosis service answers: the result of one case, as the public contract fixes it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from shared.contracts.base import CodeOut, Modality, Moment, Wire
from shared.intake import patient_problem


def _patient(value: str) -> str:
    found = patient_problem(value)
    if found is not None:
        raise ValueError(f"{found.problem}: {found.fix}")
    return value


class ConsentFence(Wire):
    """`POST /internal/diagnosis/consent-fence` (role service): answered 204 when no result of this patient can be
    released any more that rests on a consent decision of an older epoch."""

    subject_ref: str
    """The patient's pseudonym."""
    epoch: int = Field(ge=0)


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
    as_of: Moment | None = None
    """The case as it was known then; default: the time of the patient's newest evidence."""
    priority: Literal["stat", "routine"] = "routine"
    modalities: list[Modality] | None = Field(default=None, min_length=1)
    """Use only these; default: all."""
    purpose: Literal["TREAT", "BTG", "ETREAT"] = "TREAT"
    """BTG and ETREAT use what `POST /consents/break-glass` opened for whoever asks, and else what TREAT may."""


class CaseOut(Wire):
    digest: str
    """Of the manifest: same manifest and bundle, same result."""
    as_of: datetime
    patient: str
    purpose: str = "TREAT"
    """What consent was asked for: BTG or ETREAT where the glass was broken for it."""


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
    """The calibrated 90 % interval of the probability."""
    venn_abers: tuple[float, float] | None = None
    """The calibrated frequency as if this case lacked, and as if it had, the diagnosis: the first never above the
    second. Far apart: few calibration cases were like it. None: the bundle knows none for what is at hand."""


class PredictionSet(Wire):
    coverage: float
    codes: list[str]
    guarantee: str
    """What the coverage holds for, such as `pattern x class`, or that it does not hold."""
    cases: int | None = None
    """Calibration cases of the smallest cell behind the guarantee."""


class Calibration(Wire):
    """May the probabilities be read as frequencies."""

    status: Literal["calibrated", "uncalibrated"]
    cases: int
    """Calibration cases that had just these kinds of evidence."""


class Verdict(Wire):
    """One diagnosis by itself; wrong in at most 1 - coverage of those who have it, and of those who have it not."""

    code: str
    verdict: Literal["ruled in", "ruled out", "uncertain"]


class RuledOut(Wire):
    """A critical diagnosis that the evidence rules out."""

    code: str
    miss_rate: float
    """Of those who have it, at most this share are told so …"""
    confidence: float
    """… with this confidence over the draw of the calibration cases."""
    cases: int
    """Calibration patients with the diagnosis."""


class Uncertainty(Wire):
    """Entropies in nats; total = aleatoric + epistemic."""

    total: float
    aleatoric: float
    epistemic: float


class Risk(Wire):
    """The probability of an event."""

    probability: float
    interval: tuple[float, float]


class Level(Wire):
    """One level of an ordinal answer."""

    code: CodeOut
    probability: float
    interval: tuple[float, float]


class OrdinalRisk(Wire):
    """The probabilities of ordered levels, the mildest first; they sum to 1."""

    levels: list[Level]


class ModalityExplanation(Wire):
    """base + sum(contributions) = log-odds of the calibrated probability of `code` (exact Shapley values)."""

    code: str
    scale: Literal["log-odds"] = "log-odds"
    base: float
    contributions: dict[str, float]
    interactions: dict[str, float] = {}
    """Pairwise Shapley interaction indices, keyed `image+note`."""
    relations: dict[str, Literal["synergistic", "redundant", "conflicting", "additive"]] = {}
    """What the two of a pair are to each other, keyed like the interactions."""
    residuals: dict[str, float] = {}
    """A modality's contribution less what its parts sum to by themselves; it was spread over them in proportion."""
    integration_errors: dict[str, float] = {}
    """How far the integrated gradients inside each modality are from completeness (log-odds)."""


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
    grid: list[list[float]] = []
    """The heat map as data: contributions of a coarse grid over the whole image, row by row from the top."""


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


class VitalsProfile(Wire):
    """One variable's contributions over time, as data; all profiles together sum to the vitals' contribution."""

    code: str
    """LOINC code of the variable."""
    slot_hours: float
    contributions: list[float]
    """One per slot, oldest first; the last slot ends at the case time."""


class WithoutModality(Wire):
    """The calibrated result without one of the modalities used; null where nothing would be left to advise from."""

    modality: Source
    diagnosis: CodeOut | None = None
    probability: float | None = None
    set_size: int | None = None
    """Codes in the prediction set."""


class NextBest(Wire):
    """A modality that was not used, and by how many nats the entropy of the answer is expected to fall with it."""

    modality: Source
    status: ModalityStatus
    """Why it was not used: missing, no-consent or rejected."""
    expected_drop: float
    interval: tuple[float, float]
    """Holds the realised drop in four of five cases."""


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
    vitals_profiles: list[VitalsProfile] = []
    tabular: list[FactExplanation] = []
    what_if: list[WithoutModality] = []
    next_best: list[NextBest] = []
    """The most telling first."""
    similar: list[SimilarCase] = []
    summary: list[SummarySentence] = []


class EvidenceChange(Wire):
    """One piece of evidence that the case would have otherwise now."""

    modality: Modality
    happening: Literal["arrived-late", "replaced", "cancelled", "gone"]
    evidence: str
    text: str
    """The same in a clinician's words."""


class Outdated(Wire):
    """That evidence of the case's time changed after the case was frozen. The result itself never changes."""

    since: datetime
    """When this was found first."""
    changes: list[EvidenceChange]
    superseded_by: str | None = None
    """The newest diagnosis of this patient as of this time or a later one, of other evidence."""


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
    risks: dict[str, Risk | OrdinalRisk]
    """`deterioration24h` is a `Risk`, `severity` an `OrdinalRisk`; of what the bundle answers."""
    explanation: Explanation
    calibration: Calibration | None = None
    verdicts: list[Verdict] = []
    ruled_out: list[RuledOut] = []
    """Critical diagnoses only: pneumothorax, pulmonary embolism, sepsis."""
    audit: AuditReceipt | None = None
    timings: Timings


class Waiting(Wire):
    """Why a queued diagnosis is not being worked at: something it needs is not there. Nobody need ask again."""

    reason: str
    tries: int = Field(ge=1)
    """So often it was begun and put off."""
    again_at: datetime
    """Not before this time is it tried again."""


class DiagnosisOut(Wire):
    """`GET /diagnoses/{id}` at any time: the job, and the result's fields beside it once there are any."""

    id: str
    status: JobStatus
    patient: str
    created_at: datetime
    priority: Literal["stat", "routine"]
    stage: str | None = None
    error: str | None = None
    waiting: Waiting | None = None
    """Null while it waits its turn only, or is worked at, or has ended."""
    case: CaseOut | None = None
    model: ModelOut | None = None
    modalities: dict[Source, ModalityOut] | None = None
    diagnoses: list[RankedDiagnosis] | None = None
    prediction_set: PredictionSet | None = None
    uncertainty: Uncertainty | None = None
    abstained: bool | None = None
    reasons: list[str] | None = None
    risks: dict[str, Risk | OrdinalRisk] | None = None
    explanation: Explanation | None = None
    calibration: Calibration | None = None
    verdicts: list[Verdict] | None = None
    ruled_out: list[RuledOut] | None = None
    audit: AuditReceipt | None = None
    timings: Timings | None = None
    outdated: Outdated | None = None
    """Null while the evidence is still what would be used at the case's time."""


class FeedbackIn(Wire):
    """`POST /diagnoses/{id}/feedback`: what the clinician made of it."""

    action: Literal["accept", "override", "comment"]
    code: str | None = Field(default=None, max_length=64)
    """SNOMED CT code of the clinician's own diagnosis; needed for `override`."""
    text: str | None = Field(default=None, max_length=4000)


class Review(Wire):
    """That a clinician looked at a result and said what they made of it; their words stay in the diagnosis service."""

    diagnosis: str
    action: Literal["accept", "override", "comment"]
    by: str
    """`sub` of their token."""
    at: datetime


class ReviewsQuestion(Wire):
    """`POST /internal/diagnosis/reviews` (role service): who has reviewed these diagnoses?"""

    ids: list[str] = Field(max_length=200)


class ReviewsList(Wire):
    """The answer, oldest first."""

    items: list[Review]


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
