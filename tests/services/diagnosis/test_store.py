"""Claims, leases and fences, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from services.diagnosis import store
from services.diagnosis.domain import Job, Order
from services.diagnosis.errors import FenceLost
from services.diagnosis.snapshot import Manifest
from shared.auth import Principal, Role
from shared.contracts.base import Modality
from shared.contracts.diagnosis import JobStatus
from shared.database import Sessions, create_engine, migrate, reading, session_factory
from shared.ids import uuid7
from tests.support.common import TestBed

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
LEASE_S = 15.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def sessions(request: pytest.FixtureRequest, bed: TestBed) -> Iterator[Sessions]:
    """The migrated database of the service."""
    postgres = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgres else bed.sqlite("diagnosis")
    migrate(url, "diagnosis")
    opened = session_factory(create_engine(url))
    yield opened
    opened.kw["bind"].dispose()


def _order(key: str | None = None, digest: str = DIGEST) -> Order:
    requester = Principal("issuer", "dr-who", Role.CLINICIAN, "default", None, "jti")
    return Order("p-1", None, "routine", (Modality.NOTE,), requester, key, digest)


def _manifest(as_of: datetime = NOW) -> Manifest:
    return Manifest("pat-1", as_of, (Modality.NOTE,), (), {}, ())


def _queue(sessions: Sessions, key: str | None = None) -> str:
    job_id = uuid7()
    with sessions.begin() as session:
        store.add_manifest(session, DIGEST, NOW)
        store.add_job(session, job_id, _order(key), DIGEST, _manifest(), NOW)
    return job_id


def _claim(sessions: Sessions, job_id: str, now: datetime = NOW, max_attempts: int = 5) -> Job | None:
    with sessions.begin() as session:
        return store.claim(session, job_id, uuid7(), now=now, lease_s=LEASE_S, max_attempts=max_attempts)


def _claimed(sessions: Sessions, job_id: str, now: datetime = NOW) -> Job:
    job = _claim(sessions, job_id, now)
    assert job is not None
    return job


def test_of_many_claims_at_once_one_gets_the_job(sessions: Sessions) -> None:
    jobs = [_queue(sessions) for _ in range(5)]
    gate = threading.Barrier(8)

    def _race(_: int) -> list[str]:
        gate.wait()
        return [job for job in jobs if _claim(sessions, job) is not None]

    with ThreadPoolExecutor(8) as pool:
        won = [job for claimed in pool.map(_race, range(8)) for job in claimed]
    assert sorted(won) == sorted(jobs)


def test_a_job_under_lease_cannot_be_claimed(sessions: Sessions) -> None:
    job_id = _queue(sessions)
    _claimed(sessions, job_id)
    assert _claim(sessions, job_id, NOW + timedelta(seconds=LEASE_S - 1)) is None


def test_an_expired_lease_is_claimed_with_a_higher_fence(sessions: Sessions) -> None:
    job_id = _queue(sessions)
    first = _claimed(sessions, job_id)
    second = _claimed(sessions, job_id, NOW + timedelta(seconds=LEASE_S + 1))
    assert second.fence > first.fence


def test_a_worker_with_an_old_fence_cannot_finish(sessions: Sessions) -> None:
    job_id = _queue(sessions)
    first = _claimed(sessions, job_id)
    _claimed(sessions, job_id, NOW + timedelta(seconds=LEASE_S + 1))
    with pytest.raises(FenceLost), sessions.begin() as session:
        store.fail(session, job_id, first.fence, "too late", NOW)


def test_a_worker_whose_job_was_given_back_cannot_finish(sessions: Sessions) -> None:
    job_id = _queue(sessions)
    first = _claimed(sessions, job_id)
    with sessions.begin() as session:
        assert store.requeue(session, first, NOW + timedelta(seconds=LEASE_S + 1))
    with pytest.raises(FenceLost), sessions.begin() as session:
        store.fail(session, job_id, first.fence, "too late", NOW)


def test_a_renewed_lease_lasts_longer(sessions: Sessions) -> None:
    job_id = _queue(sessions)
    job = _claimed(sessions, job_id)
    later = NOW + timedelta(seconds=10)
    with sessions.begin() as session:
        store.renew(session, job_id, job.fence, now=later, lease_s=LEASE_S, stage="fuse")
    assert _claim(sessions, job_id, NOW + timedelta(seconds=LEASE_S + 1)) is None


def test_of_two_dispatchers_one_gives_an_orphan_back(sessions: Sessions) -> None:
    job = _claimed(sessions, _queue(sessions))
    late = NOW + timedelta(seconds=LEASE_S + 1)
    gate = threading.Barrier(4)

    def _return(_: int) -> bool:
        gate.wait()
        with sessions.begin() as session:
            return store.requeue(session, job, late)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(_return, range(4))) == 1


def test_of_two_dispatchers_one_sends_a_lost_job(sessions: Sessions) -> None:
    job_id = _queue(sessions)
    late = NOW + timedelta(seconds=10)
    gate = threading.Barrier(4)

    def _send(_: int) -> bool:
        gate.wait()
        with sessions.begin() as session:
            return store.mark_sent(session, job_id, sent_before=late - timedelta(seconds=3), now=late)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(_send, range(4))) == 1


def test_a_deferred_job_is_not_due_before_its_time(sessions: Sessions) -> None:
    job = _claimed(sessions, _queue(sessions))
    with sessions.begin() as session:
        store.defer(session, job.id, job.fence, until=NOW + timedelta(seconds=8), reason="the log")
    assert _claim(sessions, job.id, NOW + timedelta(seconds=7)) is None
    with reading(sessions) as session:
        put_off = store.get_job(session, job.id)
    assert (put_off.waits_for, put_off.not_before) == ("the log", NOW + timedelta(seconds=8))
    claimed = _claim(sessions, job.id, NOW + timedelta(seconds=9))
    assert claimed is not None
    assert claimed.waits_for is None


def test_a_deferral_is_no_attempt(sessions: Sessions) -> None:
    job = _claimed(sessions, _queue(sessions))
    with sessions.begin() as session:
        store.defer(session, job.id, job.fence, until=NOW, reason="the log")
    assert _claimed(sessions, job.id).attempts == 1


def test_a_job_with_all_attempts_spent_is_not_claimed(sessions: Sessions) -> None:
    job_id = _queue(sessions)
    _claimed(sessions, job_id)
    assert _claim(sessions, job_id, NOW + timedelta(minutes=1), max_attempts=1) is None


def test_one_requester_has_one_job_per_key(sessions: Sessions) -> None:
    _queue(sessions, key="k-1")
    with pytest.raises(IntegrityError):
        _queue(sessions, key="k-1")


def test_jobs_without_a_key_do_not_collide(sessions: Sessions) -> None:
    assert _queue(sessions) != _queue(sessions)


def test_the_work_list_is_newest_first_and_pages(sessions: Sessions) -> None:
    jobs = [_queue(sessions) for _ in range(4)]
    with sessions.begin() as session:
        first = [job.id for job in store.list_jobs(session, limit=3)]
        second = [job.id for job in store.list_jobs(session, limit=3, before=first[-1])]
    assert sorted([*first, *second]) == sorted(jobs)
    assert [*first, *second] == sorted(jobs, reverse=True)


def test_the_work_list_filters_by_status(sessions: Sessions) -> None:
    taken = _queue(sessions)
    _queue(sessions)
    _claimed(sessions, taken)
    with sessions.begin() as session:
        running = store.list_jobs(session, statuses=[JobStatus.RUNNING], limit=10)
    assert [job.id for job in running] == [taken]


def test_a_worker_is_heard_of_until_it_says_goodbye(sessions: Sessions) -> None:
    with sessions.begin() as session:
        store.worker_seen(session, "w-1", DIGEST, NOW)
        assert store.workers_since(session, NOW - timedelta(seconds=5)) == [DIGEST]
        assert store.workers_since(session, NOW + timedelta(seconds=5)) == []
        store.forget_worker(session, "w-1")
        assert store.workers_since(session, NOW - timedelta(seconds=5)) == []


def test_the_migrations_make_the_tables_that_the_code_declares(sessions: Sessions) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from services.diagnosis.rows import Base

    with sessions.kw["bind"].connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
