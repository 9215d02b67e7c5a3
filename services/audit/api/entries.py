"""The auditor's questions to the log. Each is itself an entry, written before the answer leaves."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from services.audit.api.cursors import decode_cursor, encode_cursor, malformed
from services.audit.api.deps import ContextDep
from services.audit.api.terms import MAX_INDEX, EntryQuery, EntrySearch, PageQuery
from services.audit.context import AuditContext
from services.audit.domain.entries import EntryFilter, Page
from services.audit.schemas import EntryOut, EntryPage, entry_json
from services.audit.store.log import SignedCheckpoint
from services.audit.usecases import entries as usecases
from shared.auth import Principal, Role, require
from shared.database import reading
from shared.digests import canonical_json
from shared.errors import TooLarge
from shared.openapi import refusals
from shared.web import RequestIdDep

router = APIRouter(prefix="/audit/entries", tags=["audit log"])
NDJSON = "application/x-ndjson"
Searcher = Annotated[Principal, Depends(require(Role.AUDITOR, scope="AuditEvent.s"))]
Reader = Annotated[Principal, Depends(require(Role.AUDITOR, scope="AuditEvent.r"))]
Index = Annotated[int, Path(ge=0, le=MAX_INDEX)]


@router.get("", response_model=EntryPage, responses={200: {"content": {NDJSON: {}}}})
def list_entries(
    query: Annotated[EntryQuery, Query()],
    principal: Searcher,
    context: ContextDep,
    request_id: RequestIdDep,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Entries that match, page by page; with `Accept: application/x-ndjson` all of them, one a line.

    An answer sees the log as of one signed checkpoint, and so do the pages that follow by its cursor.
    """
    return _answer(context, principal, request_id, query, query.to_domain(), NDJSON in accept)


@router.post("/search", response_model=EntryPage, responses={200: {"content": {NDJSON: {}}}, **refusals(TooLarge)})
def search_entries(
    body: EntrySearch,
    principal: Searcher,
    context: ContextDep,
    request_id: RequestIdDep,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """The same by a body, in which `patient` may be the patient's own identifier. The log gets the pseudonym alone."""
    return _answer(context, principal, request_id, body, body.under_pseudonym(context.events), NDJSON in accept)


def _answer(
    context: AuditContext, principal: Principal, request_id: str, query: EntryQuery, wanted: EntryFilter, whole: bool
) -> Response:
    page, checkpoint = page_of(query, wanted, context)
    details = {"filter": wanted.as_details(), "order": page.order, "size": page.size, "export": whole}
    usecases.record_query(context, principal, "audit-entries", details, request_id, wanted.subject_ref)
    if whole:
        headers = {"X-Tree-Size": str(page.size)}
        return StreamingResponse(_lines(context, wanted, page), media_type=NDJSON, headers=headers)
    return page_response(context, wanted, page, checkpoint, query.limit)


@router.get("/{index}", response_model=EntryOut)
def get_entry(index: Index, principal: Reader, context: ContextDep, request_id: RequestIdDep) -> Response:
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


def page_of(query: PageQuery, wanted: EntryFilter, context: AuditContext) -> tuple[Page, SignedCheckpoint]:
    """Which page a query asks for, and the checkpoint that it and those after it look at. Raises: MalformedCursor."""
    with reading(context.sessions) as session:
        if query.cursor is None:
            checkpoint = usecases.newest_checkpoint(session)
            return Page(query.order, checkpoint.size), checkpoint
        page, root = decode_cursor(context.events.pseudonyms, query.cursor, wanted, query.order)
        checkpoint = usecases.checkpoint_of(session, page.size)
    if checkpoint.root != root:
        raise malformed()
    return page, checkpoint


def _lines(context: AuditContext, wanted: EntryFilter, page: Page) -> Iterator[bytes]:
    for entry in usecases.export_entries(context, wanted, page):
        yield entry_json(entry) + b"\n"


def page_response(
    context: AuditContext, wanted: EntryFilter, page: Page, checkpoint: SignedCheckpoint, limit: int
) -> Response:
    """One page of what was found (`EntryPage`), with the cursor that goes on after it."""
    found = usecases.find_entries(context, wanted, page, limit + 1)
    shown, following = found[:limit], None
    if len(found) > limit:
        on = Page(page.order, page.size, shown[-1].index)
        following = encode_cursor(context.events.pseudonyms, wanted, on, checkpoint.root)
    head = {"size": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode(), "note": checkpoint.note}
    items = b",".join(map(entry_json, shown))
    body = b'{"checkpoint":%b,"items":[%b],"next":%b}' % (canonical_json(head), items, canonical_json(following))
    return Response(body, media_type="application/json")
