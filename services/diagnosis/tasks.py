"""The Celery entry points: a task that carries the id of a job, one that carries that of a question, and one that
carries the id of a finished job to the bundle in the shadow."""

from __future__ import annotations

from typing import Any

import structlog

from services.diagnosis.answering import answer_question
from services.diagnosis.broker import QUESTION_TASK, SHADOW_TASK, SHADOWS, TASK, create_celery
from services.diagnosis.running import Worker, run_job
from services.diagnosis.shadowing import run_shadow

log = structlog.get_logger(__name__)


def create_worker_app(broker_url: str, worker: Worker) -> Any:
    """A Celery app whose tasks run jobs and answer questions with this worker."""
    app = create_celery(broker_url)

    @app.task(name=TASK, acks_late=True, reject_on_worker_lost=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def _run_job(job_id: str) -> None:
        try:
            with worker.pulse.working():
                is_released = run_job(worker, job_id)
            if is_released and worker.models.shadow() is not None:
                _send_on(job_id)
        except Exception as error:
            # Celery would log the message and all local values, which may be patient data. The job's lease
            # runs out by itself.
            log.error("a job was left behind", job=job_id, error=type(error).__name__)

    def _send_on(job_id: str) -> None:
        try:
            app.send_task(SHADOW_TASK, args=[job_id], queue=SHADOWS, retry=False, ignore_result=True)
        except Exception as error:
            # The result is out; a case less for the shadow is no loss to anybody.
            log.warning("a case does not reach the shadow", job=job_id, error=type(error).__name__)

    @app.task(name=SHADOW_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def _run_shadow(job_id: str) -> None:
        try:
            with worker.pulse.working():
                run_shadow(worker, job_id)
        except Exception as error:
            # As above.
            log.warning("a case was left out of the shadow", job=job_id, error=type(error).__name__)

    @app.task(name=QUESTION_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def _answer_question(question_id: str) -> None:
        try:
            with worker.pulse.working():
                answer_question(worker, question_id)
        except Exception as error:
            # As above; whoever asked is told after a while that nobody answered.
            log.error("a question was left behind", question=question_id, error=type(error).__name__)

    return app
