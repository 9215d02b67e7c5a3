"""What crosses the wire of the registry of model bundles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import Field, FiniteFloat, RootModel, StringConstraints, field_validator, model_validator

from services.audit.domain.gates import Evidence, EvidenceKind, Gate, GateState
from services.audit.domain.registry import BundleChange, Stage
from services.audit.schemas import PLAIN
from services.audit.usecases.registry import Promotion, StagedBundle
from shared.contracts.base import Wire
from shared.digests import canonical_json

MAX_CARD_BYTES = 1_000_000
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PLAIN)]
Reason = Annotated[str | None, Field(default=None, min_length=3, max_length=1000, pattern=PLAIN)]
"""In words, for whoever reads the history. It stays here; the log holds a commitment to it."""


class SignatureIn(Wire):
    """`POST /models/{id}/signature`: what came of looking at a bundle's signature."""

    bundle_digest: Digest
    key_id: Digest
    """Fingerprint of the public key that signed it, or that the signature names."""
    result: Literal["verified", "refused"]


class Estimate(Wire):
    """A figure with its 95 % interval. An estimate freed of bias may lie outside of its own interval."""

    value: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat

    @model_validator(mode="after")
    def _in_order(self) -> Estimate:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class SubgroupIn(Wire):
    """How a bundle did for one group of patients."""

    attribute: Name
    """Such as `age`."""
    group: Name
    """Such as `80+`."""
    n: int = Field(ge=0, lt=2**53)
    figures: dict[Name, Estimate] = Field(max_length=50)
    """Empty where the group is too small to be judged."""


class EvaluationIn(Wire):
    """`POST /models/{id}/evaluations`: how a bundle did on cases that it had not seen."""

    bundle_digest: Digest
    dataset: Name
    data_digest: Digest
    """Of the cases: which patients with which answers."""
    report_digest: Digest
    """Of the whole report or card that this is taken from."""
    n: int = Field(ge=1, lt=2**53)
    figures: dict[Name, Estimate] = Field(min_length=1, max_length=50)
    subgroups: list[SubgroupIn] = Field(max_length=500)


class ApprovalIn(Wire):
    """`POST /models/{id}/approvals`: an electronic signature with name and meaning (21 CFR 11.50); the time is ours."""

    bundle_digest: Digest
    """What was looked at: an approval holds for these files only."""
    name: Name
    """The signer's printed name."""
    meaning: Literal["approval", "responsibility"]
    """`approval`: I have judged its evaluation and hold it fit for its intended use; `responsibility`: I answer for its
    use here."""
    comment: Reason = None


CONTENTS: dict[EvidenceKind, type[SignatureIn] | type[EvaluationIn] | type[ApprovalIn]] = {
    EvidenceKind.SIGNATURE: SignatureIn,
    EvidenceKind.EVALUATION: EvaluationIn,
    EvidenceKind.APPROVAL: ApprovalIn,
}


class ModelIn(Wire):
    """`POST /models`."""

    name: str = Field(min_length=1, max_length=100, pattern=PLAIN)
    version: str = Field(min_length=1, max_length=100, pattern=PLAIN)
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    """Content address of the bundle's files."""
    card: dict[str, Any]
    """The model card, as JSON."""

    @field_validator("card")
    @classmethod
    def _plain_json(cls, card: dict[str, Any]) -> dict[str, Any]:
        try:
            size = len(canonical_json(card))
        except (rfc8785.CanonicalizationError, UnicodeError) as error:
            raise ValueError("a card holds finite numbers, integers within 2^53 and valid Unicode text") from error
        if size > MAX_CARD_BYTES:
            raise ValueError(f"a card has at most {MAX_CARD_BYTES} bytes")
        return card


class PromoteIn(Wire):
    """`POST /models/{id}/promote`."""

    stage: Stage
    percent: int | None = Field(default=None, ge=1, le=99)
    """Of the patients; needed for `canary`, and only there."""
    reason: Reason = None

    @model_validator(mode="after")
    def _a_share_for_the_canary(self) -> PromoteIn:
        if (self.percent is not None) != (self.stage is Stage.CANARY):
            raise ValueError("send `percent` with the stage canary, and with no other")
        return self

    def to_domain(self) -> Promotion:
        return Promotion(self.stage, self.percent, self.reason)


class RollbackIn(Wire):
    """`POST /models/rollback`; may be left out."""

    reason: Reason = None


class StageChange(Wire):
    """One logged change of a bundle's stage."""

    index: int
    change: BundleChange
    at: datetime
    actor: str
    percent: int | None = None
    reason: str | None = None


class ModelSummary(Wire):
    """A bundle in the list."""

    id: str
    name: str
    version: str
    digest: str
    stage: Stage
    registered_at: datetime
    history: list[StageChange]

    @classmethod
    def from_domain(cls, staged: StagedBundle) -> ModelSummary:
        bundle = staged.bundle
        return cls(
            id=bundle.id, name=bundle.name, version=bundle.version, digest=bundle.digest, stage=staged.stage,
            registered_at=bundle.registered_at,
            history=[
                StageChange(index=e.index, change=e.change, at=e.at, actor=e.actor, percent=e.percent, reason=e.reason)
                for e in staged.history
            ],
        )  # fmt: skip


class EvidenceOut(Wire):
    """One piece of what is known of a bundle, as it was handed in."""

    index: int
    """Log index of the entry that tells of it."""
    kind: EvidenceKind
    at: datetime
    actor: str
    content: SignatureIn | EvaluationIn | ApprovalIn


class GateOut(Wire):
    """A gate, and what there is to do where it is not passed."""

    gate: Gate
    passed: bool
    found: str
    fix: str


class ModelDetail(ModelSummary):
    """`GET /models/{id}`."""

    evidence: list[EvidenceOut]
    gates: list[GateOut]

    @classmethod
    def with_gates(cls, staged: StagedBundle, known: list[Evidence], gates: Sequence[GateState]) -> ModelDetail:
        summary = ModelSummary.from_domain(staged)
        return cls(
            **{name: getattr(summary, name) for name in ModelSummary.model_fields},
            evidence=[
                EvidenceOut(
                    index=one.index, kind=one.kind, at=one.at, actor=one.actor,
                    content=CONTENTS[one.kind].model_validate(one.content),
                )
                for one in known
            ],
            gates=[GateOut(gate=s.gate, passed=s.passed, found=s.found, fix=s.fix) for s in gates],
        )  # fmt: skip


class ModelList(Wire):
    """`GET /models`."""

    items: list[ModelSummary]


class Card(RootModel[dict[str, Any]]):
    """`GET /models/{id}/card`: the card as it was registered."""
