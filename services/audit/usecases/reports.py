"""Reports about one patient: who saw what, and what was disclosed to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.audit.context import AuditContext
from services.audit.domain.disclosures import YEARS, Seen, is_disclosure, seen
from services.audit.domain.entries import EntryFilter, Page
from services.audit.errors import ReportTooLong
from services.audit.store.log import SignedCheckpoint
from services.audit.usecases import entries as usecases
from shared.auth import Principal
from shared.clock import rfc3339, years_before
from shared.database import reading

MAX_ROWS = 10_000


@dataclass(frozen=True)
class Report:
    """What was found, oldest first, in the log as of a checkpoint."""

    subject_ref: str
    start: datetime
    end: datetime
    checkpoint: SignedCheckpoint
    rows: list[Seen]


def report_disclosures(
    context: AuditContext,
    principal: Principal,
    subject_ref: str,
    start: datetime | None,
    end: datetime | None,
    request_id: str,
) -> Report:
    """What of a patient left this organisation. Who asked is logged before the answer. Raises: ReportTooLong."""
    return _report(context, principal, "disclosures-reported", subject_ref, start, end, request_id, is_disclosure)


def report_accesses(
    context: AuditContext,
    principal: Principal,
    subject_ref: str,
    start: datetime | None,
    end: datetime | None,
    request_id: str,
) -> Report:
    """Who saw anything of a patient, or tried. Who asked is logged before the answer. Raises: ReportTooLong."""
    return _report(context, principal, "accesses-reported", subject_ref, start, end, request_id, lambda _: True)


def _report(
    context: AuditContext,
    principal: Principal,
    subtype: str,
    subject_ref: str,
    start: datetime | None,
    end: datetime | None,
    request_id: str,
    belongs: Callable[[Seen], bool],
) -> Report:
    end = end or context.clock()
    start = start or years_before(end, YEARS)
    with reading(context.sessions) as session:
        checkpoint = usecases.newest_checkpoint(session)
    details = {"from": rfc3339(start), "to": rfc3339(end), "size": checkpoint.size}
    usecases.record_query(context, principal, subtype, details, request_id, subject_ref)
    wanted = EntryFilter(subject_ref=subject_ref, occurred_from=start, occurred_to=end)
    rows: list[Seen] = []
    for stored in usecases.export_entries(context, wanted, Page("oldest", checkpoint.size)):
        one = seen(stored)
        if one is not None and belongs(one):
            rows.append(one)
        if len(rows) > MAX_ROWS:
            raise ReportTooLong(MAX_ROWS)
    return Report(subject_ref, start, end, checkpoint, rows)
