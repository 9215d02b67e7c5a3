"""What can go wrong in a diagnosis, by name."""

from __future__ import annotations

from shared.errors import AppError, Conflict, InvalidInput, NotFound, Unavailable


class UnknownPatient(NotFound):
    """No ingest service has ever stored anything of this patient."""


class UnknownDiagnosis(NotFound):
    """There is no such job."""


class ErasedDiagnosis(UnknownDiagnosis):
    """There was one; its patient was erased. The log has when it was made, for whom, and by which model."""

    slug = "erased"


class UnknownHeatmap(NotFound):
    """This diagnosis has no heat map of that instance."""


class NoEvidence(InvalidInput):
    """The patient is known, but nothing is known at that time or of those modalities."""


class IdempotencyConflict(Conflict):
    """The same Idempotency-Key came before with another body."""


class NotFinished(Conflict):
    """The diagnosis has no result yet, or never will."""


class Unanswerable(Conflict):
    """A question of similarity that this case or this bundle cannot answer, however often it is asked."""


NO_JOINT_SPACE = "This model bundle has no joint space."
NO_EVIDENCE_LEFT = "No evidence of this case may be used."
UNANSWERABLE = frozenset({NO_JOINT_SPACE, NO_EVIDENCE_LEFT})
"""What a worker says of such questions: its answer crosses the database as words."""


class NoActiveBundle(Unavailable):
    """The model registry calls no bundle active that this worker has: nothing may be answered."""


class NotRegistered(Conflict):
    """The model registry refuses a bundle, whoever asks: its version is another's, or it is no bundle to it."""


class FenceLost(Exception):
    """Another worker has claimed the job since: whatever this one did is void."""


class ConsentMoved(Exception):
    """The patient's consents changed after they were last asked: ask again before anything is shown."""


class CaseFailed(AppError):
    """The case can never be computed; the detail says why and holds no patient data."""


class EvidenceChanged(CaseFailed):
    """What a service hands out is not what the manifest froze."""


class EvidenceGone(CaseFailed):
    """A piece of evidence that the manifest froze is no longer there."""
