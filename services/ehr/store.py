"""The ehr service's tables and every query on them: cards shown, answers to them, and the audit outbox."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from shared.database import UtcDateTime, insert_into, new_metadata
from shared.erasure import ErasureMixin
from shared.outbox import OutboxCounterMixin, OutboxMixin


class Base(DeclarativeBase):
    """All rows of this service."""

    metadata = new_metadata()


class OutboxRow(OutboxMixin, Base):
    """Audit events on their way."""


class OutboxCounterRow(OutboxCounterMixin, Base):
    """The number that an audit event was given last."""


class ErasureRow(ErasureMixin, Base):
    """Patients who were erased, by pseudonym."""


class CardRow(Base):
    """A card that was shown. It names no patient: the pseudonym is the audit log's."""

    __tablename__ = "cards"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    service: Mapped[str] = mapped_column(sa.String(64))
    diagnosis_id: Mapped[str] = mapped_column(sa.String(64), index=True)
    subject_ref: Mapped[str] = mapped_column(sa.String(64))
    hook_instance: Mapped[str] = mapped_column(sa.String(36))
    shown_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FeedbackRow(Base):
    """What became of a card. Its id is a digest of what was said, so that saying it again adds nothing."""

    __tablename__ = "card_feedback"

    id: Mapped[str] = mapped_column(sa.String(71), primary_key=True)
    service: Mapped[str] = mapped_column(sa.String(64))
    card: Mapped[str] = mapped_column(sa.String(64), index=True)
    outcome: Mapped[str] = mapped_column(sa.String(16))
    outcome_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    comment: Mapped[str | None] = mapped_column(sa.Text)
    suggestions: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str] = mapped_column(sa.String(255))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class ShownCard:
    """A card that was shown, and to which result and pseudonym it belongs."""

    id: str
    service: str
    diagnosis_id: str
    subject_ref: str
    hook_instance: str
    shown_at: datetime


@dataclass(frozen=True)
class CardFeedback:
    """What one clinician made of one card."""

    id: str
    service: str
    card: str
    outcome: str
    outcome_at: datetime
    reason: dict[str, str] | None
    comment: str | None
    suggestions: list[str]
    actor: str
    received_at: datetime


def add_card(session: Session, card: ShownCard) -> bool:
    """Remember a card; False when the same call showed it before."""
    return _insert_once(session, CardRow, vars(card))


def find_card(session: Session, card_id: str) -> ShownCard | None:
    """The card of that id, if this service showed it."""
    row = session.get(CardRow, card_id)
    return ShownCard(**{name: getattr(row, name) for name in ShownCard.__dataclass_fields__}) if row else None


def add_feedback(session: Session, feedback: CardFeedback) -> bool:
    """Keep an answer; False when the very same was kept before."""
    reason = json.dumps(feedback.reason, sort_keys=True) if feedback.reason else None
    return _insert_once(
        session, FeedbackRow, {**vars(feedback), "reason": reason, "suggestions": json.dumps(feedback.suggestions)}
    )


def feedback_of(session: Session, card_id: str) -> list[CardFeedback]:
    """All answers to a card, oldest first."""
    rows = session.scalars(
        sa.select(FeedbackRow).where(FeedbackRow.card == card_id).order_by(FeedbackRow.received_at)
    ).all()
    return [_feedback(row) for row in rows]


def _feedback(row: FeedbackRow) -> CardFeedback:
    values = {name: getattr(row, name) for name in CardFeedback.__dataclass_fields__}
    reason = json.loads(row.reason) if row.reason else None
    return CardFeedback(**{**values, "reason": reason, "suggestions": json.loads(row.suggestions)})


def _insert_once(session: Session, row: type[Base], values: dict[str, Any]) -> bool:
    """Insert unless the key is taken, in one statement, so that two equal requests at once make one row."""
    key: Any = sa.inspect(row).primary_key[0]
    statement = insert_into(session, row).values(**values).on_conflict_do_nothing(index_elements=[key]).returning(key)
    return session.scalar(statement) is not None
