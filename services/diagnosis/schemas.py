"""What crosses the wire beside `shared.contracts.diagnosis`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.diagnosis.currency import Happening, Outdated, as_json
from services.diagnosis.domain import Feedback, Job, StoredResult
from shared.contracts import diagnosis as wire
from shared.contracts.base import Modality, Wire
from shared.contracts.diagnosis import AuditReceipt, DiagnosisOut, DiagnosisResult, JobStatus, ModalityStatus, Source


class DiagnosisPage(Wire):
    """A page of the work-list, newest first."""

    items: list[DiagnosisOut]
    next: str | None = None
    """Pass it as `cursor` to get the next page; absent on the last one."""


class SearchIn(Wire):
    """`POST /diagnoses/search`: a patient identifier never stands in a URL."""

    patient: str = Field(min_length=1, max_length=64)
    limit: int = Field(default=50, ge=1, le=200)


class RiskQuestion(Wire):
    """`POST /diagnoses/stream`: whose running risk, and how often at most it is reckoned anew."""

    patient: str = Field(min_length=1, max_length=64)
    every_s: float = Field(default=60.0, ge=2.0, le=3600.0)
    """Seconds between two diagnoses. Evidence that comes more often is taken together."""


class RunningRisk(Wire):
    """Data of a `risk` event. The whole result is at `/diagnoses/{diagnosis}`."""

    diagnosis: str
    status: JobStatus
    as_of: datetime
    abstained: bool | None = None
    reasons: list[str] = []
    risks: dict[str, wire.Risk | wire.OrdinalRisk] = {}
    modalities: dict[Source, ModalityStatus] = {}
    """What the figures rest on, and what they lack."""

    @classmethod
    def of(cls, job: Job, stored: StoredResult | None) -> RunningRisk:
        """Of a finished diagnosis; one that failed has no figures."""
        said = cls(diagnosis=job.id, status=job.status, as_of=job.as_of)
        if stored is None:
            return said
        body = stored.body
        used = {source: found.status for source, found in body.modalities.items()}
        told = {"abstained": body.abstained, "reasons": body.reasons, "risks": body.risks, "modalities": used}
        return said.model_copy(update=told)


class FeedbackOut(Wire):
    """What was kept of a clinician's feedback."""

    id: str
    diagnosis: str
    action: Literal["accept", "override", "comment"]
    code: str | None
    created_at: datetime

    @classmethod
    def from_domain(cls, feedback: Feedback) -> FeedbackOut:
        return cls.model_validate(
            {
                "id": feedback.id,
                "diagnosis": feedback.job_id,
                "action": feedback.action,
                "code": feedback.code,
                "created_at": feedback.created_at,
            }
        )


def diagnosis_out(
    job: Job, stored: StoredResult | None = None, outdated: Outdated | None = None, *, explained: bool = True
) -> DiagnosisOut:
    """A job on the wire, with its released result's fields beside it where there is one."""
    out = DiagnosisOut.model_validate(
        {
            "id": job.id,
            "status": job.status,
            "patient": job.patient,
            "created_at": job.created_at,
            "priority": job.priority,
            "stage": job.stage,
            "error": job.error,
            "waiting": _waiting(job),
            "outdated": outdated and _outdated(outdated),
        }
    )
    if stored is None:
        return out
    fields = {name: getattr(stored.body, name) for name in DiagnosisResult.model_fields}
    fields["audit"] = _receipt(stored)
    fields["timings"] = stored.body.timings.model_copy(update={"total": round(stored.total_ms or 0.0, 3)})
    if not explained:
        fields["explanation"] = None
    return out.model_copy(update=fields)


def _waiting(job: Job) -> wire.Waiting | None:
    if job.waits_for is None or job.not_before is None:
        return None
    return wire.Waiting(reason=job.waits_for, tries=job.deferrals, again_at=job.not_before)


def _outdated(found: Outdated) -> wire.Outdated:
    told = [
        wire.EvidenceChange.model_validate({**as_json(change), "text": _TEXTS[change.happening][change.modality]})
        for change in found.changes
    ]
    return wire.Outdated(since=found.found_at, changes=told, superseded_by=found.superseded_by)


_TEXTS = {
    Happening.ARRIVED_LATE: {
        Modality.IMAGE: "A radiograph of that time came only afterwards.",
        Modality.NOTE: "A note of that time came only afterwards.",
        Modality.VITALS: "Vital signs of that time came only afterwards.",
    },
    Happening.REPLACED: dict.fromkeys(Modality, "A note that was read has been replaced by a new version since."),
    Happening.CANCELLED: dict.fromkeys(Modality, "A note that was read has been cancelled since."),
    Happening.GONE: {
        Modality.IMAGE: "A radiograph that was read is no longer kept.",
        Modality.NOTE: "A note that was read is no longer kept.",
        Modality.VITALS: "The vital signs that were read are no longer kept.",
    },
}


def _receipt(stored: StoredResult) -> AuditReceipt:
    if stored.leaf_index is None or stored.leaf_hash is None:
        raise ValueError("a result without a log entry must not be shown")
    url = f"/audit/entries/{stored.leaf_index}/receipt"
    return AuditReceipt(index=stored.leaf_index, leaf_hash=stored.leaf_hash, receipt=url)
