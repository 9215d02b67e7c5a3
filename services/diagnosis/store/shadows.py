"""What bundles in the shadow said."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.domain import ShadowResult
from services.diagnosis.rows import JobRow, ShadowResultRow


def add_shadow(session: Session, result: ShadowResult, now: datetime) -> bool:
    """Keep an answer; False where this bundle has answered this case before, or the patient was erased meanwhile."""
    job = sa.select(JobRow.erased_at).where(JobRow.id == result.job_id).with_for_update()
    if session.execute(job).scalar_one() is not None:
        return False
    known = sa.select(ShadowResultRow.id).where(
        ShadowResultRow.job_id == result.job_id,
        ShadowResultRow.manifest_digest == result.manifest_digest,
        ShadowResultRow.bundle_digest == result.bundle_digest,
    )
    if session.scalar(known) is not None:
        return False
    session.add(
        ShadowResultRow(
            id=result.id,
            job_id=result.job_id,
            manifest_digest=result.manifest_digest,
            bundle_digest=result.bundle_digest,
            body=result.body.model_dump_json(by_alias=True),
            created_at=now,
        )
    )
    session.flush()
    return True
