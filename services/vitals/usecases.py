"""What the vitals service does: take samples in, give series out; each with its audit event in the same transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Literal

from sqlalchemy.orm import Session

from services.vitals import store
from services.vitals.bulk import KEY
from services.vitals.clocks import ClockEstimate, Reading, estimate
from services.vitals.domain import Batch, Outcome, Point, Sample, thin_out
from services.vitals.errors import InvalidSearch
from services.vitals.plausibility import Flags, flags_of
from services.vitals.sources import SourceRules
from services.vitals.units import canonical_code
from shared.auth import Principal
from shared.erasure import enter
from shared.errors import AppError, FieldProblem
from shared.hl7v2.problems import Fault
from shared.intake import is_late, patient_problem
from shared.storing import basis_of
from shared.web import Runtime

MOST_READ = 1_000_000
"""Samples that one downsampling search reads at most."""
_TELLABLE = frozenset(
    {"patient", "code", "value", "unit", "effective", "device", "sent", "line", "body", "Content-Type"}
)
"""What an event may name as wrong. Other names were chosen by the sender and could say anything."""


@dataclass(frozen=True)
class Asker:
    """On whose behalf something is done."""

    principal: Principal
    request_id: str


@dataclass(frozen=True)
class Query:
    """Which samples are asked for."""

    patient: str
    start: datetime
    end: datetime
    codes: tuple[str, ...]
    limit: int
    downsample: bool


@dataclass(frozen=True)
class Series:
    """Samples found, oldest first."""

    points: list[Point]
    flags: Mapping[Point, Flags]
    """The marks of those that have any."""
    clocks: Mapping[str, ClockEstimate]
    """By device, as of its last sending."""
    total: int
    downsampled: bool


def store_batch(session: Session, runtime: Runtime, asker: Asker, batch: Batch) -> Outcome:
    """Store all new samples of a batch, with one event for each patient who has any."""
    tenant, source = runtime.common.tenant, f"{asker.principal.issuer} {asker.principal.subject}"[:255]
    enter(session, (runtime.events.pseudonyms.patient(tenant, patient) for patient in batch.samples))
    number = store.add_batch(session, batch, source)
    store.lock_patients(session, tenant, batch.samples)
    # In one order everywhere: two batches with the same samples then wait for each other instead of deadlocking.
    by_patient = {patient: _in_true_time(session, tenant, number, batch, patient) for patient in sorted(batch.samples)}
    for samples in by_patient.values():
        samples.sort(key=KEY)
    added = store.add_samples(session, tenant, number, list(chain.from_iterable(by_patient.values())))
    replaced = store.add_corrections(session, tenant, number, batch.corrections)
    for patient, samples in by_patient.items():
        new, changed = added.get(patient, 0), replaced.get(patient, 0)
        times = [s.corrected or s.effective for s in samples]
        if new:
            store.add_arrival(session, tenant, number, batch, patient, times)
        if new or changed:
            late = changed > 0 or is_late(min(times), batch.received_at)
            details = {"accepted": new, "duplicates": len(samples) - new, "late": late}
            details |= {"corrections": changed} if changed else {}
            _record_ingest(session, runtime, asker, batch, patient=patient, details=details)
    accepted, sent = sum(added.values()), sum(map(len, by_patient.values()))
    if batch.rejected:
        _record_ingest(session, runtime, asker, batch, reason="lines-rejected", details=_rejects(batch))
    return Outcome(accepted, sent - accepted, batch.rejected)


def _in_true_time(session: Session, tenant: str, number: int, batch: Batch, patient: str) -> list[Sample]:
    """A patient's samples, those of devices that said what their clock shows with the corrected time beside."""
    samples = list(batch.samples[patient])
    shown = dict[str, datetime]()
    for sample in samples:
        if sample.sent is not None:
            shown[sample.device] = max(shown.get(sample.device, sample.sent), sample.sent)
    if not shown:
        return samples
    clocks = dict[str, ClockEstimate]()
    for device, sent in sorted(shown.items()):
        before = store.clock_readings(session, tenant, patient, device)
        clocks[device] = estimate([*before, Reading(sent, batch.received_at)])
        store.add_clock(session, tenant, patient, device, number, clocks[device])
    return [
        sample._replace(corrected=clocks[sample.device].correct(sample.effective)) if sample.sent else sample
        for sample in samples
    ]


def record_refusal(session: Session, runtime: Runtime, asker: Asker, error: AppError) -> None:
    """Put into the log that a whole body was refused, and why."""
    details = {"status": error.status, "fields": sorted({f.field for f in error.fields if _is_tellable(f)})}
    event = runtime.events.event(
        asker.principal,
        "ingest",
        "vitals-refused",
        "C",
        outcome="refused",
        reason=error.slug,
        kind="vitals",
        consent=basis_of(error),
        request_id=asker.request_id,
        details=details,
    )
    runtime.record(session, event)


def _record_ingest(
    session: Session,
    runtime: Runtime,
    asker: Asker,
    batch: Batch,
    *,
    details: dict[str, Any],
    patient: str | None = None,
    reason: str | None = None,
) -> None:
    outcome: Literal["success", "refused"] = "refused" if reason else "success"
    event = runtime.events.event(
        asker.principal,
        "ingest",
        "vitals-rejected" if reason else "vitals-stored",
        "C",
        outcome=outcome,
        reason=reason,
        patient=patient,
        kind="vitals",
        object_id=batch.id,
        digest=batch.digest,
        request_id=asker.request_id,
        details=details,
    )
    runtime.record(session, event)


def _rejects(batch: Batch) -> dict[str, Any]:
    fields = Counter(rejection.problem.field for rejection in batch.rejected if _is_tellable(rejection.problem))
    return {"rejected": len(batch.rejected), "lines": batch.lines, "fields": dict(sorted(fields.items()))}


def _is_tellable(problem: FieldProblem) -> bool:
    # The fields of a message are named by our own tables.
    return isinstance(problem, Fault) or problem.field in _TELLABLE


def search(session: Session, runtime: Runtime, asker: Asker, query: Query, rules: SourceRules) -> Series:
    """The samples a query asks for. Raises: InvalidSearch."""
    codes = _checked_codes(query)
    tenant, within = runtime.common.tenant, (query.patient, query.start, query.end)
    total = store.count_between(session, tenant, *within, codes=codes)
    thin = query.downsample and total > query.limit
    if thin and total > MOST_READ:
        raise InvalidSearch(FieldProblem("start", f"leaves {total} samples to read", "ask for a shorter time"))
    points = store.points_between(session, tenant, *within, codes=codes, newest=None if thin else query.limit)
    # Before thinning out: marks follow from neighbours.
    flags = {point: marks for point, marks in zip(points, flags_of(points, rules), strict=True) if marks}
    if thin:
        points = thin_out(points, query.limit)
    event = runtime.events.event(
        asker.principal,
        "read",
        "vitals-read",
        "R",
        patient=query.patient,
        kind="vitals",
        request_id=asker.request_id,
        details={"samples": len(points), "total": total},
    )
    runtime.record(session, event)
    return Series(points, flags, store.clocks_of(session, tenant, query.patient), total, thin)


def record_stream(session: Session, runtime: Runtime, asker: Asker, patient: str) -> None:
    """Put into the log that somebody reads along what comes of a patient."""
    event = runtime.events.event(
        asker.principal, "read", "vitals-stream", "R", patient=patient, kind="vitals", request_id=asker.request_id
    )
    runtime.record(session, event)


def _checked_codes(query: Query) -> tuple[str, ...]:
    if problem := patient_problem(query.patient):
        raise InvalidSearch(problem)
    if query.start > query.end:
        raise InvalidSearch(FieldProblem("end", "lies before start", "send the earlier time as start"))
    codes = [canonical_code(code) for code in query.codes]
    for code in codes:
        if isinstance(code, FieldProblem):
            raise InvalidSearch(FieldProblem("codes", f"holds one that {code.problem}", code.fix))
    return tuple(code for code in codes if isinstance(code, str))
