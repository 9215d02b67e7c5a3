"""The auditor's questions to the log. Each is itself an entry, written before the answer leaves."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import AwareDatetime, Field

from services.audit.api.cursors import decode_cursor, encode_cursor
from services.audit.api.deps import ContextDep
from services.audit.context import AuditContext
from services.audit.domain.entries import EntryFilter, Page
from services.audit.schemas import PLAIN, EntryOut, EntryPage, entry_json
from services.audit.usecases import entries as usecases
from shared.auth import Principal, Role, require
from shared.contracts.base import Wire
from shared.database import reading
from shared.digests import canonical_json
from shared.web import RequestIdDep

router = APIRouter(prefix="/audit/entries", tags=["audit log"])
NDJSON = "application/x-ndjson"
MAX_INDEX = 2**53
Auditor = Annotated[Principal, Depends(require(Role.AUDITOR))]
Term = Annotated[str | None, Field(max_length=200, pattern=PLAIN)]
IndexTerm = Annotated[int | None, Field(ge=0, le=MAX_INDEX)]
Index = Annotated[int, Path(ge=0, le=MAX_INDEX)]


class EntryTerms(Wire):
    """Which entries. Times are those at which the acts occurred; `from` is in, `to` is out."""

    type: Term = None
    subtype: Term = None
    actor: Term = None
    subject_ref: Term = None
    object_id: Term = None
    producer: Term = None
    outcome: Literal["success", "refused", "failure"] | None = None
    occurred_from: AwareDatetime | None = Field(default=None, alias="from")
    occurred_to: AwareDatetime | None = Field(default=None, alias="to")
    first_index: IndexTerm = None
    last_index: IndexTerm = None

    def to_domain(self) -> EntryFilter:
        names = EntryFilter.__dataclass_fields__
        return EntryFilter(**{name: getattr(self, name) for name in names})


class EntryQuery(EntryTerms):
    """Query of `GET /audit/entries`."""

    order: Literal["newest", "oldest"] = "newest"
    limit: int = Field(default=100, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=400)


@router.get("", response_model=EntryPage, responses={200: {"content": {NDJSON: {}}}})
def list_entries(
    query: Annotated[EntryQuery, Query()],
    principal: Auditor,
    context: ContextDep,
    request_id: RequestIdDep,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Entries that match, page by page; with `Accept: application/x-ndjson` all of them, one a line.

    An answer sees the log as of one signed checkpoint, and so do the pages that follow by its cursor.
    """
    wanted = query.to_domain()
    page = _page_of(query, wanted, context)
    exporting = NDJSON in accept
    details = {"filter": wanted.as_details(), "order": page.order, "size": page.size, "export": exporting}
    usecases.record_query(context, principal, "audit-entries", details, request_id)
    if exporting:
        headers = {"X-Tree-Size": str(page.size)}
        return StreamingResponse(_lines(context, wanted, page), media_type=NDJSON, headers=headers)
    return _page_response(context, wanted, page, query.limit)


@router.get("/{index}", response_model=EntryOut)
def get_entry(index: Index, principal: Auditor, context: ContextDep, request_id: RequestIdDep) -> Response:
    """One entry, with the leaf's very bytes. Who asked is logged."""
    entry = usecases.get_entry(context, index)
    usecases.record_query(context, principal, "audit-entry", {"index": index}, request_id)
    return Response(entry_json(entry), media_type="application/json")


@router.get(
    "/{index}/receipt",
    response_class=PlainTextResponse,
    dependencies=[Depends(require(Role.AUDITOR, Role.CLINICIAN, Role.EHR_SYSTEM))],
)
def get_receipt(index: Index, context: ContextDep, witnessed: bool = False) -> Response:
    """The entry's receipt (C2SP tlog-proof) for `consilium audit verify`; it holds no more than the public tiles do.

    With `witnessed=true` its checkpoint bears the lines of a quorum of the witnesses.
    """
    headers = {"Content-Disposition": f'attachment; filename="entry-{index}.tlog-proof"'}
    return PlainTextResponse(usecases.make_receipt(context, index, witnessed), headers=headers)


def _page_of(query: EntryQuery, wanted: EntryFilter, context: AuditContext) -> Page:
    if query.cursor is not None:
        return decode_cursor(query.cursor, wanted, query.order)
    with reading(context.sessions) as session:
        return Page(query.order, usecases.newest_checkpoint(session).size)


def _lines(context: AuditContext, wanted: EntryFilter, page: Page) -> Iterator[bytes]:
    for entry in usecases.export_entries(context, wanted, page):
        yield entry_json(entry) + b"\n"


def _page_response(context: AuditContext, wanted: EntryFilter, page: Page, limit: int) -> Response:
    found = usecases.find_entries(context, wanted, page, limit + 1)
    shown = found[:limit]
    following = encode_cursor(wanted, Page(page.order, page.size, shown[-1].index)) if len(found) > limit else None
    with reading(context.sessions) as session:
        checkpoint = usecases.checkpoint_of(session, page.size)
    head = {"size": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode(), "note": checkpoint.note}
    items = b",".join(map(entry_json, shown))
    body = b'{"checkpoint":%b,"items":[%b],"next":%b}' % (canonical_json(head), items, canonical_json(following))
    return Response(body, media_type="application/json")
