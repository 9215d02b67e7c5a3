"""What a bundle has said, and how far a shadow agrees, as the log tells of it."""

from __future__ import annotations

import json
from dataclasses import replace

from services.audit.context import AuditContext
from services.audit.domain.agreement import Agreement, agreements
from services.audit.domain.entries import EntryFilter, Page
from services.audit.usecases.entries import export_entries, newest_checkpoint
from services.audit.usecases.registry import get_bundle
from shared.database import reading

SHADOWED = "diagnosis-shadowed"


def predictions_of(context: AuditContext, bundle_id: str) -> EntryFilter:
    """The entries about a bundle's predictions: released, withheld, in the shadow. Raises: NoSuchBundle."""
    return EntryFilter(type="prediction", model=get_bundle(context, bundle_id).bundle.digest)


def agreement_of(context: AuditContext, bundle_id: str) -> list[Agreement]:
    """How far a bundle in the shadow said what was released. Raises: NoSuchBundle."""
    wanted = replace(predictions_of(context, bundle_id), subtype=SHADOWED)
    with reading(context.sessions) as session:
        page = Page("oldest", newest_checkpoint(session).size)
    return agreements(json.loads(one.entry)["event"]["details"] for one in export_entries(context, wanted, page))
