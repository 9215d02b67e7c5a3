"""Exports that prove themselves, for auditors who check them elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from services.audit.api.deps import ContextDep
from services.audit.api.entries import NDJSON, Auditor
from services.audit.api.terms import EntryTerms
from services.audit.context import AuditContext
from services.audit.domain.entries import EntryFilter
from services.audit.schemas import entry_json
from services.audit.usecases import entries as usecases
from services.audit.usecases.exports import Proven, proven_entries
from shared.clock import rfc3339
from shared.database import reading
from shared.digests import canonical_json
from shared.web import RequestIdDep

FORMAT = "consilium-audit-export/1"
router = APIRouter(tags=["audit log"])


@router.get("/audit/export", response_class=StreamingResponse, responses={200: {"content": {NDJSON: {}}}})
def export_log(
    query: Annotated[EntryTerms, Query()], principal: Auditor, context: ContextDep, request_id: RequestIdDep
) -> Response:
    """Entries that match, each with its proof, for `consilium audit verify export`: nothing else is needed to check
    them.

    The first line holds the manifest and the signed checkpoint, the last the number of entries and a digest of all
    lines before it. Who asked is logged.
    """
    wanted = query.to_domain()
    with reading(context.sessions) as session:
        checkpoint = usecases.newest_checkpoint(session)
    details = {"filter": wanted.as_details(), "size": checkpoint.size}
    usecases.record_query(context, principal, "audit-export", details, request_id, wanted.subject_ref)
    manifest = {
        "format": FORMAT, "origin": context.verifier_key.name, "size": checkpoint.size, "filter": wanted.as_details(),
        "exportedAt": rfc3339(context.clock()),
    }  # fmt: skip
    headers = {
        "X-Tree-Size": str(checkpoint.size), "Content-Disposition": 'attachment; filename="audit-export.ndjson"'
    }  # fmt: skip
    lines = _lines(context, wanted, manifest, checkpoint.size, checkpoint.note)
    return StreamingResponse(lines, media_type=NDJSON, headers=headers)


def _lines(
    context: AuditContext, wanted: EntryFilter, manifest: dict[str, Any], size: int, note: str
) -> Iterator[bytes]:
    # Not in canonical order: the manifest is what a reader must meet first.
    head = b'{"manifest":%b,"checkpoint":%b}\n' % (canonical_json(manifest), canonical_json(note))
    whole, count = hashlib.sha256(head), 0
    yield head
    for proven in proven_entries(context, wanted, size):
        line = _entry_line(proven)
        whole.update(line)
        count += 1
        yield line
    yield canonical_json({"end": {"entries": count, "sha256": whole.hexdigest()}}) + b"\n"


def _entry_line(proven: Proven) -> bytes:
    entry, hashes = proven
    proof = canonical_json([base64.b64encode(value).decode() for value in hashes])
    return entry_json(entry)[:-1] + b',"proof":%b}\n' % proof
