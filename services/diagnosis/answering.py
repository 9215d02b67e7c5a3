"""How a worker answers a question: of similarity (consent, contents, the joint space, consent again), or a replay.

The question's words come from the database and its answer goes there; the broker sees an id.
"""

from __future__ import annotations

import structlog

from services.diagnosis import store
from services.diagnosis.assembly import assemble
from services.diagnosis.case import CaseInput
from services.diagnosis.errors import NO_EVIDENCE_LEFT, NO_JOINT_SPACE, ConsentMoved, Unanswerable
from services.diagnosis.joint_schemas import QuestionBody, films_out, similar_out
from services.diagnosis.replay import replay
from services.diagnosis.rows import ErasureRow
from services.diagnosis.running import Reader, Worker, permitted
from services.diagnosis.snapshot import parse_manifest
from services.diagnosis.store import Question
from shared.database import reading
from shared.erasure import blobs_of
from shared.errors import AppError, Unavailable, origin_of

CHANGED = "This patient's consents changed while the question was answered."
log = structlog.get_logger(__name__)


def answer_question(worker: Worker, question_id: str) -> None:
    """Answer a question, or say why not. Does nothing where nobody waits for it any more."""
    with reading(worker.runtime.sessions) as session:
        question = store.find_question(session, question_id, worker.runtime.clock())
    if question is None:
        return
    answer, refusal, asked = None, None, None
    try:
        answer, asked = _answer(worker, question)
    except AppError as error:
        refusal = error.detail
    except Exception as error:
        # Nobody knows what the message holds: the kind of error and its place must do.
        log.error("a question failed", question=question.id, error=type(error).__name__, at=origin_of(error))
        refusal = f"The question could not be answered: {type(error).__name__}."
    try:
        with worker.runtime.sessions.begin() as session:
            if asked is not None:
                store.check_fence(session, *asked)
            store.keep_answer(session, question.id, answer=answer, refusal=refusal)
    except ConsentMoved:
        with worker.runtime.sessions.begin() as session:
            store.keep_answer(session, question.id, answer=None, refusal=CHANGED)


Asked = tuple[str, int]
"""A patient's pseudonym, and the epoch of the consents that an answer rests on."""


def _answer(worker: Worker, question: Question) -> tuple[str, Asked | None]:
    body = QuestionBody.model_validate_json(question.body)
    if body.ask == "replay" and question.job_id is not None:
        return replay(worker, question.job_id).model_dump_json(by_alias=True), None
    reader = worker.models.active().reader
    if reader is None:
        raise Unanswerable(NO_JOINT_SPACE)
    if question.job_id is None:
        found = reader.search(body.text or "", body.target, body.k)
        return similar_out(found, body.target).model_dump_json(by_alias=True), None
    return _about_a_case(worker, reader, question.job_id, body)


def _about_a_case(worker: Worker, reader: Reader, job_id: str, body: QuestionBody) -> tuple[str, Asked]:
    with reading(worker.runtime.sessions) as session:
        job = store.get_job(session, job_id)
    frozen = parse_manifest(blobs_of(worker.runtime, ErasureRow, job.patient).store.get(job.manifest_digest))
    manifest, before = permitted(worker, job, frozen)
    if not manifest.used:
        raise Unanswerable(NO_EVIDENCE_LEFT)
    case = assemble(manifest.as_of, manifest.evidence, worker.contents.fetch_all(manifest.evidence))
    answer = _say(reader, case, body)
    _, after = permitted(worker, job, manifest)
    if before is None or after is None or before.epoch != after.epoch:
        raise Unavailable(CHANGED)
    return answer, (manifest.subject, after.epoch)


def _say(reader: Reader, case: CaseInput, body: QuestionBody) -> str:
    if body.ask == "films":
        return films_out(reader.ask(case, body.text or "")).model_dump_json(by_alias=True)
    return similar_out(reader.similar_to(case, body.target, body.k), body.target).model_dump_json(by_alias=True)
