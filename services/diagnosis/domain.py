"""Jobs, orders and results as the service thinks of them; rules that need no database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.auth import Principal
from shared.contracts.audit import AuditEvent
from shared.contracts.base import Modality, Purpose
from shared.contracts.diagnosis import DiagnosisResult, JobStatus

FINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.ABSTAINED, JobStatus.FAILED})
RELEASED = frozenset({JobStatus.SUCCEEDED, JobStatus.ABSTAINED})
EARLIEST_AS_OF = datetime(1990, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(hours=1)
LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True)
class Order:
    """What a caller asks for. `key` and `digest` recognise the same request when it is repeated."""

    patient: str
    as_of: datetime | None
    priority: str
    modalities: tuple[Modality, ...]
    requester: Principal
    key: str | None
    digest: str
    purpose: Purpose = Purpose.TREAT


@dataclass(frozen=True)
class Job:
    """One diagnosis on its way."""

    id: str
    patient: str
    status: JobStatus
    priority: str
    stage: str | None
    error: str | None
    manifest_digest: str
    as_of: datetime
    requester: Principal
    request_digest: str
    created_at: datetime
    claimed_at: datetime | None
    finished_at: datetime | None
    fence: int
    """Grows with each claim; a worker that holds an older number may no longer write."""
    attempts: int
    deferrals: int
    not_before: datetime | None = None
    """Until when it was put off."""
    waits_for: str | None = None
    """Why; of a queued job."""
    erased_at: datetime | None = None
    """When its patient was erased; `patient` is the pseudonym then."""


@dataclass(frozen=True)
class StoredResult:
    """A computed result: released once its event stands in the log."""

    id: str
    job_id: str
    manifest_digest: str
    bundle_digest: str
    stage: str | None
    """In which its bundle stood, `production` or `canary`; None in results from before 2026-12."""
    body: DiagnosisResult
    event: AuditEvent
    """Kept whole, so that sending it again sends the very same bytes."""
    consent_epoch: int | None
    """None where the case used nothing that a consent could cover."""
    heatmaps: dict[str, str]
    """SOP Instance UID -> blob digest of the PNG."""
    leaf_index: int | None = None
    leaf_hash: str | None = None
    total_ms: float | None = None


@dataclass(frozen=True)
class ShadowResult:
    """What a bundle in the shadow said of a released case."""

    id: str
    job_id: str
    manifest_digest: str
    bundle_digest: str
    body: DiagnosisResult


@dataclass(frozen=True)
class Feedback:
    """What a clinician made of a result."""

    id: str
    job_id: str
    action: str
    code: str | None
    text: str | None
    author: str
    created_at: datetime


NOTHING_ACTIVE = (
    "the workers lack the bundle that the model registry calls active, or it calls none so: "
    "put it on their shelf, or have one approved and promoted (consilium models list)"
)
"""What `/readyz` says where workers are there and people have to do something."""


def backoff_s(deferrals: int) -> float:
    """Seconds to wait before the n-th retry (n from 0): 1, 2, 4, … up to 30."""
    return min(2.0 ** min(deferrals, 10), LONGEST_BACKOFF_S)


# The dihedral group D5, as SNOMED CT's Verhoeff check digit uses it (SNOMED CT Release File Specification 5.4).
_D5 = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTATION = "1576283094"


def is_snomed_id(code: str) -> bool:
    """Whether a code has the form of a SNOMED CT identifier: 6 to 18 digits, no leading zero, a right check digit."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", code):
        return False
    check = 0
    for position, digit in enumerate(reversed(code)):
        permuted = int(digit)
        for _ in range(position % 8):
            permuted = int(_PERMUTATION[permuted])
        check = int(_D5[check][permuted])
    return check == 0
