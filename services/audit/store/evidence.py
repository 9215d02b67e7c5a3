"""Queries about what the log holds for model bundles: signatures verified, evaluations, approvals."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.gates import Evidence, EvidenceKind
from services.audit.store.rows import BundleEvidenceRow


def add_evidence(session: Session, evidence: Evidence) -> None:
    """Write one piece."""
    values = {**vars(evidence), "kind": evidence.kind.value}
    session.execute(sa.insert(BundleEvidenceRow), [{"idx": values.pop("index"), **values}])


def evidence_for(session: Session, bundle_id: str) -> list[Evidence]:
    """What is known of a bundle, in the order of the log."""
    query = sa.select(BundleEvidenceRow).where(BundleEvidenceRow.bundle_id == bundle_id)
    return [_to_domain(row) for row in session.scalars(query.order_by(BundleEvidenceRow.idx))]


def has_approvals(session: Session) -> bool:
    """Whether anybody ever approved any bundle."""
    query = sa.select(BundleEvidenceRow.idx).where(BundleEvidenceRow.kind == EvidenceKind.APPROVAL.value)
    return session.scalar(query.limit(1)) is not None


def _to_domain(row: BundleEvidenceRow) -> Evidence:
    return Evidence(
        row.idx, row.id, row.bundle_id, EvidenceKind(row.kind), row.content, row.at, row.issuer, row.actor
    )  # fmt: skip
