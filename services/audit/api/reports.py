"""Reports about one patient, who stands in the body and in no URL."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints, model_validator

from services.audit.api.deps import Auditor, ContextDep
from services.audit.consent_schemas import PatientId
from services.audit.domain.disclosures import Exemption, Seen
from services.audit.exports.sheet import csv_row
from services.audit.schemas import CheckpointOut
from services.audit.usecases import reports as usecases
from services.audit.usecases.reports import Report
from shared.auditing import EventWriter
from shared.clock import rfc3339
from shared.contracts.base import Moment, Wire
from shared.errors import TooLarge
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep

router = APIRouter(prefix="/audit", tags=["audit log"])
Pseudonym = Annotated[str, StringConstraints(pattern=r"^pat-[0-9a-f]{32}$")]
COLUMNS = (
    "index", "at", "issuer", "subject", "client", "role", "type", "subtype", "outcome", "kind", "ids", "purpose", "why",
    "exemption", "requestId",
)  # fmt: skip
_ANSWERS: Answers = {200: {"content": {"text/csv": {}}}, **refusals(TooLarge)}


class ReportIn(Wire):
    """`POST /audit/disclosures` and `/audit/accesses`: one patient, by identifier or by pseudonym."""

    patient: PatientId | None = None
    subject_ref: Pseudonym | None = None
    start: Moment | None = Field(default=None, alias="from")
    """Absent: six years before `to`."""
    end: Moment | None = Field(default=None, alias="to")
    """Is out. Absent: now."""
    format: Literal["json", "csv"] = "json"

    @model_validator(mode="after")
    def _one_patient(self) -> ReportIn:
        if (self.patient is None) == (self.subject_ref is None):
            raise ValueError("send patient or subjectRef")
        return self

    def subject(self, events: EventWriter) -> str:
        """The pseudonym of whom the report is about."""
        return self.subject_ref or events.pseudonyms.patient(events.tenant, str(self.patient))


class Recipient(Wire):
    """Who saw it, as their token named them. The log knows no postal address."""

    issuer: str
    subject: str
    client: str | None
    role: str


class SeenOut(Wire):
    """That somebody saw something of the patient."""

    index: int
    """Of the entry that tells of it; `GET /audit/entries/{index}/receipt` proves it."""
    at: datetime
    recipient: Recipient
    type: str
    subtype: str
    outcome: str
    kind: str | None
    ids: list[str]
    """What was seen, by our ids."""
    purpose: str | None
    why: str
    """The purpose in words."""
    exemption: Exemption | None
    """Why 45 CFR 164.528 asks for no account of a disclosure for this purpose, if so."""
    request_id: str | None

    @classmethod
    def from_domain(cls, one: Seen) -> SeenOut:
        return cls(
            index=one.index, at=one.at, recipient=Recipient.model_validate(one.recipient), type=one.type,
            subtype=one.subtype, outcome=one.outcome, kind=one.kind, ids=list(one.ids), purpose=one.purpose,
            why=one.why, exemption=one.exemption, request_id=one.request_id,
        )  # fmt: skip


class ReportOut(Wire):
    """A report, oldest first."""

    subject_ref: str
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    checkpoint: CheckpointOut
    items: list[SeenOut]


@router.post("/disclosures", response_model=ReportOut, responses=_ANSWERS)
def report_disclosures(
    body: ReportIn, principal: Auditor, context: ContextDep, request_id: RequestIdDep
) -> Response | ReportOut:
    """What of a patient left this organisation: when, to whom, what, and why (45 CFR 164.528). Who asked is logged."""
    subject = body.subject(context.events)
    return _answer(
        usecases.report_disclosures(context, principal, subject, body.start, body.end, request_id), body.format
    )


@router.post("/accesses", response_model=ReportOut, responses=_ANSWERS)
def report_accesses(
    body: ReportIn, principal: Auditor, context: ContextDep, request_id: RequestIdDep
) -> Response | ReportOut:
    """Who saw anything of a patient, or tried to. Who asked is logged."""
    subject = body.subject(context.events)
    return _answer(usecases.report_accesses(context, principal, subject, body.start, body.end, request_id), body.format)


def _answer(report: Report, form: str) -> Response | ReportOut:
    if form == "csv":
        headers = {"X-Tree-Size": str(report.checkpoint.size)}
        return Response(_sheet(report.rows), media_type="text/csv; charset=utf-8; header=present", headers=headers)
    checkpoint = CheckpointOut(
        size=report.checkpoint.size, root=base64.b64encode(report.checkpoint.root).decode(), note=report.checkpoint.note
    )
    items = [SeenOut.from_domain(row) for row in report.rows]
    return ReportOut(
        subject_ref=report.subject_ref, start=report.start, end=report.end, checkpoint=checkpoint, items=items
    )


def _sheet(rows: Sequence[Seen]) -> bytes:
    return csv_row(COLUMNS) + b"".join(csv_row(_cells(row)) for row in rows)


def _cells(row: Seen) -> list[str]:
    who = [row.recipient[name] or "" for name in ("issuer", "subject", "client", "role")]
    what = [row.type, row.subtype, row.outcome, row.kind or "", " ".join(row.ids)]
    return [
        str(row.index), rfc3339(row.at), *who, *what, row.purpose or "", row.why, row.exemption or "",
        row.request_id or "",
    ]  # fmt: skip
