"""Cursors of auditors' queries: the last index seen, the tree size looked at, and which query they belong to.

They are not secret and need no signature: whatever they say, the auditor could have asked for.
"""

from __future__ import annotations

import base64
import binascii
import json

from services.audit.domain.entries import EntryFilter, Order, Page
from services.audit.errors import MalformedCursor
from shared.digests import digest_json
from shared.errors import FieldProblem


def encode_cursor(wanted: EntryFilter, page: Page) -> str:
    """The cursor that goes on after a page."""
    content = {"after": page.after, "size": page.size, "query": _query_digest(wanted, page.order)}
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, wanted: EntryFilter, order: Order) -> Page:
    """The page that a cursor names.

    Raises: MalformedCursor: not one of this query's.
    """
    try:
        content = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        after, size, query = content["after"], content["size"], content["query"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed() from error
    numbers = all(type(value) is int and 0 <= value <= 2**53 for value in (after, size))
    if not numbers or query != _query_digest(wanted, order):
        raise _malformed()
    return Page(order, size, after)


def _query_digest(wanted: EntryFilter, order: Order) -> str:
    return digest_json({"filter": wanted.as_details(), "order": order})[7:23]


def _malformed() -> MalformedCursor:
    fix = "send the `next` of the page before, with the same filter and order"
    return MalformedCursor(
        "The cursor does not belong to this query.", fields=[FieldProblem("cursor", "not this query's", fix)]
    )
