"""Cursors of auditors' queries: the last index seen, the checkpoint looked at, and which query they belong to.

They are sealed under the suite's secret: one that comes back is one that we gave, to the letter.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json

from services.audit.domain.entries import EntryFilter, Order, Page
from services.audit.errors import MalformedCursor
from shared.digests import digest_json
from shared.errors import FieldProblem
from shared.pseudonyms import Pseudonymiser


def encode_cursor(seals: Pseudonymiser, wanted: EntryFilter, page: Page, root: bytes) -> str:
    """The cursor that goes on after a page, in the tree with this root."""
    content = {"after": page.after, "size": page.size, "root": root.hex(), "query": _query_digest(wanted, page.order)}
    text = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")
    return f"{text}.{seals.seal(_sealed(text))}"


def decode_cursor(seals: Pseudonymiser, cursor: str, wanted: EntryFilter, order: Order) -> tuple[Page, bytes]:
    """The page that a cursor names, and the root of the tree that it looks at.

    Raises: MalformedCursor: not one of this query's, or not as we gave it.
    """
    text, _, seal = cursor.partition(".")
    if not hmac.compare_digest(seal.encode(), seals.seal(_sealed(text)).encode()):
        raise malformed()
    try:
        content = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        page, root = Page(order, content["size"], content["after"]), bytes.fromhex(content["root"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        # Sealed by us, and yet of another form: it is of another version.
        raise malformed() from error
    if content["query"] != _query_digest(wanted, order):
        raise malformed()
    return page, root


def _sealed(text: str) -> str:
    return f"audit cursor {text}"


def _query_digest(wanted: EntryFilter, order: Order) -> str:
    return digest_json({"filter": wanted.as_details(), "order": order})[7:23]


def malformed() -> MalformedCursor:
    """The refusal of a cursor."""
    fix = "send the `next` of the page before, with the same filter and order"
    return MalformedCursor(
        "The cursor does not belong to this query.", fields=[FieldProblem("cursor", "not this query's", fix)]
    )
