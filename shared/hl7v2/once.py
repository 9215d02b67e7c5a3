"""Each message once: what was taken, by its sender and its control id."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.database import UtcDateTime, insert_into
from shared.digests import digest_json
from shared.hl7v2.header import Header
from shared.hl7v2.message import Message
from shared.hl7v2.problems import Fault, Kind, RefusedMessage


class MessageMixin:
    """Columns of a service's table of messages that were taken. Messages themselves are not kept."""

    __tablename__ = "hl7_message"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(80))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    subject_ref: Mapped[str | None] = mapped_column(sa.String(64), index=True)
    """Pseudonym of the patient whom it was about; None in rows from before 2026-12, which no erasure finds."""


def sender_key(header: Header, kind: str, name: str) -> str:
    """A name that only its sender (MSH-3, MSH-4) gives, as a digest that is the sender's own."""
    return digest_json({"application": header.raw(3), "facility": header.raw(4), "kind": kind, "name": name})


def claim(
    session: Session, row: type[MessageMixin], tenant: str, message: Message, subject_ref: str, now: datetime
) -> bool:
    """Whether a message is new; it counts as taken with the caller's commit.

    Raises: RefusedMessage: its control id was another message's.
    """
    header = message.header
    # A sender may put a fresh time into MSH-7 when it sends again: what follows MSH is what is said.
    digest = digest_json({"type": [header.part(9), header.part(9, 2)], "body": message.body})
    key = sender_key(header, "MSH-10", header.raw(10))
    insert = insert_into(session, row).values(  # type: ignore[arg-type]  # a mixin, mapped by the service
        tenant=tenant, key=key, digest=digest, received_at=now, subject_ref=subject_ref
    )
    # Two senders of one message at once: the second waits for the first one's commit, and then finds its row.
    if session.scalar(insert.on_conflict_do_nothing(index_elements=["tenant", "key"]).returning(row.key)) is not None:
        return True
    before = session.scalars(sa.select(row.digest).where(row.tenant == tenant, row.key == key)).one()
    if before != digest:
        problem, fix = "was the control id of another message", "give each message a control id of its own"
        raise RefusedMessage(Fault("MSH-10", problem, fix, Kind.DUPLICATE_KEY))
    return False
