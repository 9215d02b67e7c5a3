"""What the model says of one case: plain frozen data that knows neither torch nor the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.diagnosis.bundle.identity import BundleIdentity
from shared.codes import Coding

if TYPE_CHECKING:  # the web part knows no numpy
    import numpy as np
    from numpy.typing import NDArray

Interval = tuple[float, float]


@dataclass(frozen=True)
class ModalityOutcome:
    """What became of one modality that the case holds; modalities that the case lacks have no outcome."""

    used: bool
    """False: rejected, and the prediction was made without it."""
    evidence: tuple[str, ...]
    """Ids of the images, notes or vitals windows it consists of."""
    quality: dict[str, Any]
    ood_score: float | None
    """1 - conformal p-value; None where an input rule already refused the input."""
    ood_flagged: bool
    reason: str | None = None
    """Why it was rejected."""


@dataclass(frozen=True)
class RankedDiagnosis:
    """One label with its calibrated probability; `interval` is the calibrated 90 % interval of that probability."""

    coding: Coding
    probability: float
    interval: Interval
    venn_abers: Interval | None = None
    """(p0, p1), see `venn_abers`; None: the bundle has none for what is at hand."""


@dataclass(frozen=True)
class PredictionSet:
    """SNOMED CT codes that hold the truth with probability `coverage`, in the sense that `guarantee` names."""

    coverage: float
    codes: tuple[str, ...]
    guarantee: str
    cases: int = 0
    """Calibration cases behind the smallest cell of the guarantee."""


@dataclass(frozen=True)
class Calibration:
    """Whether the probabilities may be read as frequencies, and how many cases say so."""

    calibrated: bool
    cases: int


@dataclass(frozen=True)
class DiagnosisVerdict:
    """One diagnosis by itself: `ruled in`, `ruled out` or `uncertain`, each wrong in at most 1 - coverage."""

    code: str
    verdict: str


@dataclass(frozen=True)
class RuledOut:
    """A critical diagnosis that the evidence rules out; of those who have it, at most `miss_rate` are told so."""

    code: str
    miss_rate: float
    confidence: float
    """Over the draw of the calibration split."""
    cases: int
    """Calibration patients with the diagnosis."""


@dataclass(frozen=True)
class Uncertainty:
    """Entropies in nats; total = aleatoric + epistemic."""

    total: float
    aleatoric: float
    epistemic: float


@dataclass(frozen=True)
class Risk:
    """A calibrated probability of an event."""

    probability: float
    interval: Interval


@dataclass(frozen=True)
class Level:
    """One level of an ordinal answer."""

    coding: Coding
    probability: float
    interval: Interval


@dataclass(frozen=True)
class OrdinalRisk:
    """Calibrated probabilities of ordered levels, the mildest first; they sum to 1."""

    levels: tuple[Level, ...]


@dataclass(frozen=True)
class ModalityExplanation:
    """base + sum(contributions) = log-odds of the calibrated probability of `code`."""

    code: str
    base: float
    contributions: dict[str, float]
    interactions: dict[str, float]
    """Pairwise Shapley interaction indices, keyed `image+note`."""
    relations: dict[str, str] = field(default_factory=dict)
    """What the two of a pair are to each other, see `shapley.relation`; keyed like the interactions."""
    residuals: dict[str, float] = field(default_factory=dict)
    """Contribution of a modality less what its parts sum to by themselves: it was spread over them, so that they add
    up. It holds what the starting point of the attributions (an average image, masked words) says already."""
    integration_errors: dict[str, float] = field(default_factory=dict)
    """How far each modality's integrated gradients are from completeness, in log-odds."""


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels of the original matrix with its share of the image's contribution."""

    x: float
    y: float
    width: float
    height: float
    contribution: float


@dataclass(frozen=True)
class ImageExplanation:
    """One image's heat map, a PNG (RGBA) with the aspect of the whole image, and its strongest regions."""

    image_id: str
    sop_instance_uid: str
    heatmap_png: bytes
    regions: tuple[Region, ...]
    grid: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    """[height, width] over the whole image, coarser than it: the contributions that the heat map is painted from."""


@dataclass(frozen=True)
class NoteSpan:
    """Characters [start, end) of the note and what they contributed (log-odds)."""

    start: int
    end: int
    contribution: float
    negated: bool


@dataclass(frozen=True)
class NoteExplanation:
    """The spans of all notes of a case together sum to the notes' contribution."""

    note_id: str
    spans: tuple[NoteSpan, ...]


@dataclass(frozen=True)
class VitalsExplanation:
    """One variable (LOINC code) in one window of time; all of a case together sum to the vitals' contribution."""

    code: str
    from_: datetime
    to: datetime
    contribution: float


@dataclass(frozen=True)
class FactExplanation:
    """Age, sex or a laboratory value (LOINC code); all of a case together sum to their modality's contribution."""

    code: str
    contribution: float


@dataclass(frozen=True)
class VitalsProfile:
    """One variable (LOINC code) over slots of equal length, oldest first, the last ending at the case time.

    Like an image's grid: all that the windows were chosen from. All profiles together sum to the vitals' contribution.
    """

    code: str
    slot_hours: float
    contributions: tuple[float, ...]


@dataclass(frozen=True)
class WithoutModality:
    """What would be answered without one of the modalities used; no coding where nothing would be left."""

    modality: str
    coding: Coding | None = None
    probability: float | None = None
    set_size: int | None = None


@dataclass(frozen=True)
class NextBest:
    """A modality that was not used, and the nats by which the entropy is expected to fall with it."""

    modality: str
    expected_drop: float
    interval: Interval
    """Holds the realised drop in four of five cases."""


@dataclass(frozen=True)
class SimilarCase:
    """A synthetic training case near this one; similarity is a mean cosine in [-1, 1]."""

    case: str
    similarity: float
    coding: Coding


@dataclass(frozen=True)
class SummarySentence:
    """A plain sentence and the ids of the evidence it rests on; empty where it speaks of the model itself."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """Why: across the modalities and inside each. `modalities` is None where nothing was left to predict from."""

    modalities: ModalityExplanation | None = None
    images: tuple[ImageExplanation, ...] = ()
    notes: tuple[NoteExplanation, ...] = ()
    vitals: tuple[VitalsExplanation, ...] = ()
    profiles: tuple[VitalsProfile, ...] = ()
    tabular: tuple[FactExplanation, ...] = ()
    similar: tuple[SimilarCase, ...] = ()
    what_if: tuple[WithoutModality, ...] = ()
    next_best: tuple[NextBest, ...] = ()
    """The most telling first."""
    summary: tuple[SummarySentence, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """Everything of a result that the model decides. An abstained one may still rank the diagnoses."""

    bundle: BundleIdentity
    modalities: dict[str, ModalityOutcome]
    """Keyed `image`, `note`, `vitals`, `tabular`; only those the case holds."""
    diagnoses: tuple[RankedDiagnosis, ...]
    """Most probable first; empty where no modality could be used."""
    prediction_set: PredictionSet | None
    uncertainty: Uncertainty | None
    abstained: bool
    reasons: tuple[str, ...]
    risks: dict[str, Risk | OrdinalRisk]
    """Keyed `deterioration24h` and `severity`, of what the bundle answers."""
    explanation: Explanation
    calibration: Calibration | None = None
    verdicts: tuple[DiagnosisVerdict, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    timings: dict[str, float] = field(default_factory=dict, compare=False)
    """Milliseconds of `encode`, `fuse` and `explain`; no part of what is the same for the same case."""
