"""The Celery entry points: a task that carries a job id, and one that carries the id of a question."""

from __future__ import annotations

from typing import Any

import structlog

from services.diagnosis.answering import answer_question
from services.diagnosis.broker import QUESTION_TASK, TASK, create_celery
from services.diagnosis.running import Worker, run_job

log = structlog.get_logger(__name__)


def create_worker_app(broker_url: str, worker: Worker) -> Any:
    """A Celery app whose tasks run jobs and answer questions with this worker."""
    app = create_celery(broker_url)

    @app.task(name=TASK, acks_late=True, reject_on_worker_lost=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def _run_job(job_id: str) -> None:
        try:
            run_job(worker, job_id)
        except Exception as error:
            # Celery would log the message and all local values, which may be patient data. The job's lease
            # runs out by itself.
            log.error("a job was left behind", job=job_id, error=type(error).__name__)

    @app.task(name=QUESTION_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def _answer_question(question_id: str) -> None:
        try:
            answer_question(worker, question_id)
        except Exception as error:
            # As above; whoever asked is told after a while that nobody answered.
            log.error("a question was left behind", question=question_id, error=type(error).__name__)

    return app
