"""Exports that prove themselves, for auditors who check them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from services.audit.api.deps import Auditor, ContextDep
from services.audit.api.entries import NDJSON
from services.audit.api.terms import EntryTerms, PatientTerms
from services.audit.context import AuditContext
from services.audit.domain.entries import EntryFilter
from services.audit.exports import Form, Head, Write
from services.audit.exports.ndjson import write_ndjson
from services.audit.exports.parquet import arrow, write_parquet
from services.audit.exports.sheet import write_csv
from services.audit.usecases import entries as usecases
from services.audit.usecases.exports import proven_entries
from shared.auth import Principal
from shared.clock import rfc3339
from shared.database import reading
from shared.errors import NotAcceptable, TooLarge
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep

FORMATS = {
    "ndjson": "consilium-audit-export/1", "csv": "consilium-audit-export-csv/1",
    "parquet": "consilium-audit-export-parquet/1",
}  # fmt: skip
TYPES = {
    "ndjson": NDJSON,
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
}
WRITERS: dict[Form, Write] = {"ndjson": write_ndjson, "csv": write_csv, "parquet": write_parquet}
_ANSWERS: Answers = {
    200: {"content": {kind.partition(";")[0]: {} for kind in TYPES.values()}},
    **refusals(NotAcceptable),
}
router = APIRouter(prefix="/audit/export", tags=["audit log"])


class ExportQuery(EntryTerms):
    """Query of `GET /audit/export`."""

    format: Form = "ndjson"


class ExportBody(PatientTerms, ExportQuery):
    """Body of `POST /audit/export`."""


@router.get("", response_class=StreamingResponse, responses=_ANSWERS)
def export_log(
    query: Annotated[ExportQuery, Query()], principal: Auditor, context: ContextDep, request_id: RequestIdDep
) -> Response:
    """Entries that match, each with its proof, for `consilium audit verify export`: nothing else is needed to check
    them. `parquet` needs the extra `arrow`. Who asked is logged.
    """
    return _export(context, principal, request_id, query.to_domain(), query.format)


@router.post("", response_class=StreamingResponse, responses={**_ANSWERS, **refusals(TooLarge)})
def export_log_of_patient(
    body: ExportBody, principal: Auditor, context: ContextDep, request_id: RequestIdDep
) -> Response:
    """The same by a body, in which `patient` may be the patient's own identifier."""
    return _export(context, principal, request_id, body.under_pseudonym(context.events), body.format)


def _export(context: AuditContext, principal: Principal, request_id: str, wanted: EntryFilter, form: Form) -> Response:
    if form == "parquet":
        arrow()
    with reading(context.sessions) as session:
        checkpoint = usecases.newest_checkpoint(session)
    details = {"filter": wanted.as_details(), "size": checkpoint.size}
    if form != "ndjson":
        details["format"] = form
    usecases.record_query(context, principal, "audit-export", details, request_id, wanted.subject_ref)
    manifest = {
        "format": FORMATS[form], "origin": context.verifier_key.name, "size": checkpoint.size,
        "filter": wanted.as_details(), "exportedAt": rfc3339(context.clock()),
    }  # fmt: skip
    headers = {
        "X-Tree-Size": str(checkpoint.size), "Content-Disposition": f'attachment; filename="audit-export.{form}"'
    }  # fmt: skip
    pieces: Iterator[bytes] = WRITERS[form](
        Head(manifest, checkpoint.note), proven_entries(context, wanted, checkpoint.size)
    )
    return StreamingResponse(pieces, media_type=TYPES[form], headers=headers)
