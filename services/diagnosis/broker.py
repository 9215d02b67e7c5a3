"""Celery and the broker behind it: queues that carry ids of jobs and of questions, and nothing else."""

from __future__ import annotations

from typing import Any, Protocol

TASK = "diagnosis.run_job"
PRIORITIES = ("stat", "routine")
"""Also the names of the queues; a worker empties the first one first."""
QUESTION_TASK = "diagnosis.answer_question"
QUESTIONS = "question"
"""The queue of questions that someone waits for; an urgent diagnosis goes before them, a routine one after."""
SHADOW_TASK = "diagnosis.run_shadow"
SHADOWS = "shadow"
"""The queue of finished cases for a bundle in the shadow; a worker takes one up when nobody waits for anything."""
QUEUES = ("stat", QUESTIONS, "routine", SHADOWS)


def create_celery(broker_url: str) -> Any:
    """A Celery app for sending and for working. Results are not kept: the database has them."""
    from celery import Celery  # 0.3 s, and only threads that need it pay
    from kombu.entity import Exchange, Queue

    app = Celery("consilium.diagnosis", broker=broker_url, set_as_current=False)
    # The default exchange needs no bindings in the broker: a flushed broker still takes messages.
    queues = [Queue(name, Exchange(""), routing_key=name) for name in QUEUES]  # type: ignore[no-untyped-call]
    app.conf.update(
        task_queues=queues,
        task_default_queue="routine",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "queue_order_strategy": "priority",
            "socket_connect_timeout": 2,
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.2,
        },
    )
    return app


class Broker(Protocol):
    """What the dispatcher needs of a broker."""

    def send(self, job_id: str, priority: str) -> None:
        """Hand over a job id. Raises whatever the broker's client raises when it is down."""

    def depth(self, priority: str) -> int:
        """How many messages wait in one queue."""

    def answers(self) -> bool:
        """Whether it is up."""


class CeleryBroker:
    """Redis or Valkey, through Celery for sending and directly for looking."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._celery: Any = None
        self._redis: Any = None

    def send(self, job_id: str, priority: str) -> None:
        if self._celery is None:
            self._celery = create_celery(self._url)
        self._celery.send_task(TASK, args=[job_id], queue=priority, retry=False, ignore_result=True)

    def ask(self, question_id: str, *, within_s: float) -> None:
        """Hand over the id of a question, which no worker takes up after so long. Raises as `send` does."""
        if self._celery is None:
            self._celery = create_celery(self._url)
        self._celery.send_task(
            QUESTION_TASK, args=[question_id], queue=QUESTIONS, retry=False, ignore_result=True, expires=within_s
        )

    def depth(self, priority: str) -> int:
        return int(self._client().llen(priority))

    def answers(self) -> bool:
        import redis

        try:
            return bool(self._client().ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        """Close the connections."""
        if self._celery is not None:
            self._celery.close()
        if self._redis is not None:
            self._redis.close()

    def _client(self) -> Any:
        if self._redis is None:
            import redis

            self._redis = redis.Redis.from_url(self._url, socket_connect_timeout=1, socket_timeout=1)
        return self._redis
