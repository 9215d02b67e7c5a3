"""The audit events of predictions. Their ids are derived, so that the same act told twice is one entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from services.diagnosis.domain import Job, StoredResult
from services.diagnosis.rows import ErasureRow
from services.diagnosis.snapshot import Manifest, parse_manifest
from shared.auditing import EventWriter, actor_of
from shared.contracts.audit import AuditEvent, ConsentBasis, ConsentQuestion
from shared.contracts.diagnosis import DiagnosisResult
from shared.digests import digest_json
from shared.erasure import blobs_of
from shared.errors import NotFound, Unavailable
from shared.ids import derived_id
from shared.web import Runtime


def answer_of(result: DiagnosisResult) -> dict[str, Any]:
    """What of a result the log commits to: all but how long it took and where the log has it."""
    return result.model_dump(by_alias=True, mode="json", exclude={"timings", "audit"})


def released_event(
    events: EventWriter, job: Job, manifest: Manifest, result: DiagnosisResult, stage: str
) -> AuditEvent:
    """The prediction itself: who asked, which case, which bundle in which stage, which consent, and a commitment to
    the whole result.
    """
    return events.event(
        job.requester,
        "prediction",
        "diagnosis-released",
        "E",
        patient=job.patient,
        kind="diagnosis",
        object_id=job.id,
        digest=digest_json(answer_of(result)),
        purpose=manifest.purpose,
        consent=_basis(manifest),
        details={
            "caseDigest": manifest.digest,
            "bundle": result.model.bundle,
            "bundleVersion": result.model.version,
            "bundleDigest": result.model.digest,
            "stage": stage,
            "modalities": {kind.value: out.status.value for kind, out in result.modalities.items()},
            "consent": {kind.value: basis.decision for kind, basis in manifest.consent.items()},
            "abstained": result.abstained,
        },
        event_id=derived_id("released", job.id, manifest.digest, result.model.digest),
    )


def shadowed_event(
    events: EventWriter, job: Job, manifest: Manifest, shown: DiagnosisResult, shadow: DiagnosisResult
) -> AuditEvent:
    """What a bundle in the shadow said of a case, for nobody to see, and how far it is what was released."""
    return events.event(
        None,
        "prediction",
        "diagnosis-shadowed",
        "E",
        patient=job.patient,
        kind="diagnosis",
        object_id=job.id,
        digest=digest_json(answer_of(shadow)),
        purpose=manifest.purpose,
        consent=_basis(manifest),
        details={
            "caseDigest": manifest.digest,
            "bundle": shadow.model.bundle,
            "bundleVersion": shadow.model.version,
            "bundleDigest": shadow.model.digest,
            "stage": "shadow",
            "beside": shown.model.digest,
            **agreement(shown, shadow),
        },
        event_id=derived_id("shadowed", job.id, manifest.digest, shadow.model.digest),
    )


def agreement(shown: DiagnosisResult, shadow: DiagnosisResult) -> dict[str, Any]:
    """How far two answers to one case agree, without saying what they are."""
    ours, theirs = (_probabilities(one) for one in (shown, shadow))
    greatest = max((abs(ours.get(code, 0.0) - theirs.get(code, 0.0)) for code in {*ours, *theirs}), default=0.0)
    return {
        "sameLeading": _leading(shown) == _leading(shadow),
        "sameSet": _set(shown) == _set(shadow),
        "greatestDifference": f"{greatest:.6f}",
    }


def _probabilities(result: DiagnosisResult) -> dict[str, float]:
    return {found.code.code: found.probability for found in result.diagnoses}


def _leading(result: DiagnosisResult) -> str | None:
    return None if result.abstained or not result.diagnoses else result.diagnoses[0].code.code


def _set(result: DiagnosisResult) -> frozenset[str] | None:
    return None if result.prediction_set is None else frozenset(result.prediction_set.codes)


def question_of(job: Job, manifest: Manifest) -> ConsentQuestion:
    """May what a case uses be used for its purpose, by who asked for it?"""
    return ConsentQuestion(
        patient=job.patient,
        purpose=manifest.purpose,
        modalities=list(manifest.used),
        actor=actor_of(job.requester),
    )


def denied_event(events: EventWriter, job: Job, manifest: Manifest) -> AuditEvent:
    """Evidence that exists was left out of a case when it was frozen, because no consent lets it be used."""
    return events.event(
        job.requester,
        "prediction",
        "evidence-withheld",
        "E",
        outcome="refused",
        reason="consent denies its use",
        patient=job.patient,
        kind="diagnosis",
        object_id=job.id,
        purpose=manifest.purpose,
        consent=_together("deny", "consent denies its use", [manifest.consent[kind] for kind in manifest.withheld]),
        details={"caseDigest": manifest.digest, "withheld": [kind.value for kind in manifest.withheld]},
        event_id=derived_id("denied", job.id),
    )


def withheld_event(events: EventWriter, job: Job, stored: StoredResult) -> AuditEvent:
    """A computed result was voided before anyone saw it, because a consent was withdrawn."""
    return events.event(
        None,
        "prediction",
        "diagnosis-withheld",
        "E",
        outcome="refused",
        reason="consent was withdrawn before the release",
        patient=job.patient,
        kind="diagnosis",
        object_id=job.id,
        purpose=stored.event.purpose_of_use,
        details={"caseDigest": stored.manifest_digest, "bundleDigest": stored.bundle_digest},
        event_id=derived_id("withheld", job.id, stored.manifest_digest, stored.bundle_digest),
    )


def failed_event(runtime: Runtime, job: Job, error: str) -> AuditEvent:
    """A diagnosis that was asked for and will not come; without a purpose where its case cannot be read any more."""
    try:
        case = parse_manifest(blobs_of(runtime, ErasureRow, job.patient).store.get(job.manifest_digest))
        purpose = case.purpose.value
    except (NotFound, Unavailable):
        purpose = None
    return runtime.events.event(
        job.requester,
        "prediction",
        "diagnosis-failed",
        "E",
        outcome="failure",
        reason=error,
        patient=job.patient,
        kind="diagnosis",
        object_id=job.id,
        purpose=purpose,
        details={"caseDigest": job.manifest_digest},
        event_id=derived_id("failed", job.id),
    )


def _basis(manifest: Manifest) -> ConsentBasis:
    """One basis for all modalities together; the single decisions stand in the manifest and in the event's details."""
    used = [manifest.consent[kind] for kind in manifest.used]
    denied = [manifest.consent[kind] for kind in manifest.withheld]
    reason = f"{len(used)} of {len(used) + len(denied)} modalities with evidence are permitted"
    return _together("permit" if used else "deny", reason, used or denied)


def _together(decision: Literal["permit", "deny"], reason: str, bases: Sequence[ConsentBasis]) -> ConsentBasis:
    policies = {basis.policy_digest for basis in bases}
    return ConsentBasis(
        decision=decision,
        reason=reason,
        consent_ids=sorted({consent for basis in bases for consent in basis.consent_ids}),
        policy_digest=policies.pop() if len(policies) == 1 else None,
        digest=digest_json([basis.digest for basis in bases]),
    )
