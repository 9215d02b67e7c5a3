"""What is said of a replay. It holds no patient data: auditors and administrators may read it."""

from __future__ import annotations

from enum import StrEnum

from shared.contracts.base import Wire

EPSILON = 1e-5
"""Log-odds and probabilities: what another processor may make of the same sums in single precision."""


class ReplayVerdict(StrEnum):
    """What became of a diagnosis when it was computed again."""

    BITWISE = "bitwise"
    WITHIN_EPSILON = "within-epsilon"
    DIFFERS = "differs"
    INPUTS_ERASED = "inputs-erased"
    INPUTS_CHANGED = "inputs-changed"
    RECORD_ALTERED = "record-altered"
    OTHER_MODEL = "other-model"
    NOT_PERMITTED = "not-permitted"


AGREES = frozenset({ReplayVerdict.BITWISE, ReplayVerdict.WITHIN_EPSILON})
DISAGREES = frozenset({ReplayVerdict.DIFFERS, ReplayVerdict.INPUTS_CHANGED, ReplayVerdict.RECORD_ALTERED})
"""Somebody must look; the others could not be compared."""

TEXTS = {
    ReplayVerdict.BITWISE: "The same evidence and the same model give the very same answer, heat maps included.",
    ReplayVerdict.WITHIN_EPSILON: "The same evidence and the same model give the same answer but for rounding.",
    ReplayVerdict.DIFFERS: "The same evidence and the same model give another answer than was released.",
    ReplayVerdict.INPUTS_ERASED: "Evidence of this case is no longer kept, so it cannot be computed again.",
    ReplayVerdict.INPUTS_CHANGED: "Evidence of this case has not the digest any more that the case froze.",
    ReplayVerdict.RECORD_ALTERED: "The stored result is not the one whose commitment stands in the log.",
    ReplayVerdict.OTHER_MODEL: "No worker here has the model that answered.",
    ReplayVerdict.NOT_PERMITTED: "A consent that this answer rested on was withdrawn, so its evidence is not used.",
}


class ReplayOut(Wire):
    """`POST /diagnoses/{id}/replay`."""

    diagnosis: str
    verdict: ReplayVerdict
    text: str
    case_digest: str
    bundle_digest: str
    replayed_with: str
    """Digest of the bundle that the worker has."""
    greatest_difference: float | None = None
    """Of any number of the two answers; null where they were not compared."""
    epsilon: float = EPSILON
    places: list[str] = []
    """Where the answers differ otherwise than in a number, ten at most."""
