"""What a bundle has said, and how far a shadow agrees, as the log tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from services.audit.context import AuditContext
from services.audit.domain.agreement import Agreement, agreements
from services.audit.domain.entries import Page, StoredEntry
from services.audit.store import predictions as store
from services.audit.usecases.entries import newest_checkpoint
from services.audit.usecases.registry import get_bundle
from shared.database import reading

SHADOWED = "diagnosis-shadowed"
CHUNK = 1_000


def newest_size(context: AuditContext) -> int:
    """The size of the newest signed checkpoint. Raises: NoSuchEntry."""
    with reading(context.sessions) as session:
        return newest_checkpoint(session).size


def predictions_of(context: AuditContext, bundle_id: str, page: Page, limit: int) -> list[StoredEntry]:
    """One page of a bundle's predictions: released, withheld, in the shadow. Raises: NoSuchBundle."""
    digest = get_bundle(context, bundle_id).bundle.digest
    with reading(context.sessions) as session:
        return store.predictions_of(session, digest, page, limit)


def agreement_of(context: AuditContext, bundle_id: str) -> list[Agreement]:
    """How far a bundle in the shadow said what was released. Raises: NoSuchBundle."""
    digest = get_bundle(context, bundle_id).bundle.digest
    return agreements(_shadowed(context, digest, newest_size(context)))


def _shadowed(context: AuditContext, digest: str, size: int) -> Iterator[dict[str, Any]]:
    page = Page("oldest", size)
    while True:
        with reading(context.sessions) as session:
            chunk = store.predictions_of(session, digest, page, CHUNK, SHADOWED)
        if not chunk:
            return
        yield from (json.loads(stored.entry)["event"]["details"] for stored in chunk)
        page = Page("oldest", size, chunk[-1].index)
