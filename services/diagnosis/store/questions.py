"""Questions that someone waits for, and their answers; both are gone within seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.rows import QuestionRow


@dataclass(frozen=True)
class Question:
    """What a worker is asked. `job_id` is the case it is about, if any; `body` is JSON."""

    id: str
    job_id: str | None
    body: str
    expires_at: datetime


def add_question(session: Session, question: Question, now: datetime) -> None:
    """Keep a question, and forget those that nobody waits for any more."""
    session.execute(sa.delete(QuestionRow).where(QuestionRow.expires_at < now))
    session.add(QuestionRow(id=question.id, job_id=question.job_id, body=question.body, expires_at=question.expires_at))


def find_question(session: Session, question_id: str, now: datetime) -> Question | None:
    """A question that is still waited for and has no answer yet."""
    row = session.get(QuestionRow, question_id)
    if row is None or row.expires_at < now or row.answer is not None or row.refusal is not None:
        return None
    return Question(row.id, row.job_id, row.body, row.expires_at)


def keep_answer(session: Session, question_id: str, *, answer: str | None, refusal: str | None) -> None:
    """Answer a question, or say why there is no answer; nothing where nobody waits any more."""
    session.execute(sa.update(QuestionRow).where(QuestionRow.id == question_id).values(answer=answer, refusal=refusal))


def answer_of(session: Session, question_id: str) -> tuple[str | None, str | None]:
    """(answer, refusal), both None as long as there is neither."""
    row = session.execute(
        sa.select(QuestionRow.answer, QuestionRow.refusal).where(QuestionRow.id == question_id)
    ).one_or_none()
    return (row.answer, row.refusal) if row is not None else (None, None)


def drop_question(session: Session, question_id: str) -> None:
    """Forget a question and its answer."""
    session.execute(sa.delete(QuestionRow).where(QuestionRow.id == question_id))
