"""How the web part asks a worker and waits: it knows no model, and the worker no HTTP."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Protocol

import structlog
from fastapi.concurrency import run_in_threadpool

from services.diagnosis import store
from services.diagnosis.domain import RELEASED
from services.diagnosis.errors import UNANSWERABLE, NotFinished, Unanswerable
from services.diagnosis.joint_schemas import QuestionBody
from services.diagnosis.settings import DiagnosisSettings
from services.diagnosis.store import Question
from services.diagnosis.usecases import record_read
from shared.auth import Principal
from shared.database import reading
from shared.errors import Unavailable
from shared.ids import uuid7
from shared.web import Runtime

POLL_S = 0.05
log = structlog.get_logger(__name__)


class QuestionBroker(Protocol):
    """What carries the id of a question to a worker."""

    def ask(self, question_id: str, *, within_s: float) -> None:
        """Hand over an id. Raises whatever the broker's client raises when it is down."""


async def ask_worker(
    runtime: Runtime, broker: QuestionBroker, settings: DiagnosisSettings, body: QuestionBody, job_id: str | None
) -> str:
    """The answer of a worker as JSON.

    Raises: Unavailable: the broker is down, no worker answered in time, or one failed. Unanswerable: one said why the
        question has no answer.
    """
    question = await run_in_threadpool(_send, runtime, broker, settings.question_timeout_s, body, job_id)
    try:
        while runtime.clock() < question.expires_at:
            answer, refusal = await run_in_threadpool(_look, runtime, question.id)
            if answer is not None:
                return answer
            if refusal is not None:
                raise Unanswerable(refusal) if refusal in UNANSWERABLE else Unavailable(refusal)
            await asyncio.sleep(POLL_S)
    finally:
        await run_in_threadpool(_drop, runtime, question.id)
    raise Unavailable("No worker answered in time; they are busy with diagnoses.")


def _send(
    runtime: Runtime, broker: QuestionBroker, within_s: float, body: QuestionBody, job_id: str | None
) -> Question:
    now = runtime.clock()
    question = Question(uuid7(), job_id, body.model_dump_json(by_alias=True), now + timedelta(seconds=within_s))
    with runtime.sessions.begin() as session:
        store.add_question(session, question, now)
    try:
        broker.ask(question.id, within_s=within_s)
    except Exception as error:
        _drop(runtime, question.id)
        log.warning("the broker does not take a question", error=type(error).__name__)
        raise Unavailable("The broker does not answer.") from error
    return question


def _look(runtime: Runtime, question_id: str) -> tuple[str | None, str | None]:
    with reading(runtime.sessions) as session:
        return store.answer_of(session, question_id)


def _drop(runtime: Runtime, question_id: str) -> None:
    with runtime.sessions.begin() as session:
        store.drop_question(session, question_id)


def open_case(runtime: Runtime, principal: Principal, request_id: str, job_id: str, subtype: str) -> None:
    """Let a finished case be asked about; that is an event, in the outbox before anything is answered.

    Raises: UnknownDiagnosis, NotFinished.
    """
    with runtime.sessions.begin() as session:
        job = store.get_job(session, job_id)
        if job.status not in RELEASED:
            raise NotFinished(f"This diagnosis is {job.status}; questions need a finished one.")
        record_read(runtime, session, principal, request_id, job, subtype)
    runtime.wake_relay()
