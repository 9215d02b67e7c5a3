"""The Celery entry point: one task that carries a job id."""

from __future__ import annotations

from typing import Any

import structlog

from services.diagnosis.broker import TASK, create_celery
from services.diagnosis.running import Worker, run_job

log = structlog.get_logger(__name__)


def create_worker_app(broker_url: str, worker: Worker) -> Any:
    """A Celery app whose one task runs jobs with this worker."""
    app = create_celery(broker_url)

    @app.task(name=TASK, acks_late=True, reject_on_worker_lost=True, ignore_result=True)  # type: ignore[untyped-decorator]
    def _run_job(job_id: str) -> None:
        try:
            run_job(worker, job_id)
        except Exception as error:
            # Celery would log the message and all local values, which may be patient data. The job's lease
            # runs out by itself.
            log.error("a job was left behind", job=job_id, error=type(error).__name__)

    return app
