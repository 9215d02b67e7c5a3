"""The fence between a patient's consents and what is released on them.

Both sides lock the patient's row: of a release and a withdrawal at the same time one comes first, and the other
sees it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.errors import ConsentMoved
from services.diagnosis.rows import ConsentFenceRow
from shared.database import insert_into


def raise_fence(session: Session, subject_ref: str, epoch: int) -> None:
    """Nothing of this patient is released any more on a decision of an older epoch, once this is committed."""
    new = insert_into(session, ConsentFenceRow).values(subject_ref=subject_ref, epoch=epoch)
    older = ConsentFenceRow.epoch < new.excluded.epoch
    values = {"epoch": new.excluded.epoch}
    session.execute(new.on_conflict_do_update(index_elements=["subject_ref"], set_=values, where=older))


def check_fence(session: Session, subject_ref: str, epoch: int) -> None:
    """Hold the fence where it is until the caller's transaction ends.

    Raises: ConsentMoved: it stands beyond the epoch that was decided on.
    """
    # A row that is not there cannot be locked: it is made first.
    new = insert_into(session, ConsentFenceRow).values(subject_ref=subject_ref, epoch=epoch)
    session.execute(new.on_conflict_do_nothing())
    query = sa.select(ConsentFenceRow.epoch).where(ConsentFenceRow.subject_ref == subject_ref).with_for_update()
    if session.execute(query).scalar_one() > epoch:
        raise ConsentMoved(subject_ref)
