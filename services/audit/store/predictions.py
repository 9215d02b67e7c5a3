"""Which entries tell of predictions of which bundle."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.entries import Page, StoredEntry
from services.audit.store.log import NewLeaf
from services.audit.store.rows import BundlePredictionRow, LeafRow

TYPE = "prediction"


def index_predictions(session: Session, leaves: Sequence[NewLeaf]) -> None:
    """Keep, of new entries, those that tell of a bundle's prediction."""
    events = ((leaf.index, leaf.entry.event) for leaf in leaves)
    named = ((index, event.details.get("bundleDigest")) for index, event in events if event.type == TYPE)
    rows = [{"bundle_digest": digest, "idx": index} for index, digest in named if isinstance(digest, str)]
    if rows:
        session.execute(sa.insert(BundlePredictionRow), rows)


def predictions_of(
    session: Session, bundle_digest: str, page: Page, limit: int, subtype: str | None = None
) -> list[StoredEntry]:
    """At most `limit` entries about predictions of a bundle, in the page's order."""
    index = BundlePredictionRow.idx
    query = (
        sa.select(LeafRow.idx, LeafRow.entry, LeafRow.leaf_hash)
        .join(BundlePredictionRow, index == LeafRow.idx)
        .where(BundlePredictionRow.bundle_digest == bundle_digest, index < page.size)
        .order_by(index.desc() if page.order == "newest" else index)
        .limit(limit)
    )
    if subtype is not None:
        query = query.where(LeafRow.subtype == subtype)
    if page.after is not None:
        query = query.where(index < page.after if page.order == "newest" else index > page.after)
    return [StoredEntry(*row) for row in session.execute(query)]
