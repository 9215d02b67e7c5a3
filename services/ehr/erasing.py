"""What the ehr service keeps of one patient, and how it goes."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.ehr.store import CardRow, ErasureRow, FeedbackRow
from shared.database import erase_rows
from shared.erasure import KEPT_EVERYWHERE, Eraser, Found, Subject
from shared.web import Runtime

KEPT = KEPT_EVERYWHERE
"""Tables that an erasure leaves alone, and why."""


def erase(session: Session, _: Runtime, subject: Subject) -> Found:
    """The patient's cards and what became of them. Resources are handed on, and never kept."""
    mine = CardRow.subject_ref == subject.subject_ref
    cards = sa.select(CardRow.id).where(mine)
    return Found({
        "card_feedback": erase_rows(session, FeedbackRow, FeedbackRow.card.in_(cards)),
        "cards": erase_rows(session, CardRow, mine),
    })  # fmt: skip


# Cards bear the pseudonym: there is no identifier to look through.
ERASER = Eraser("ehr", ErasureRow, lambda _, __: (), erase)
