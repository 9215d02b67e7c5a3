"""No result is released on a consent after its withdrawal was answered, whenever that comes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.diagnosis import running, store
from tests.support.consent_race import Course, Raced, open_course

RUNS, LONGEST_PAUSE_S = 1000, 0.1


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    """Both services on SQLite."""
    with open_course(tmp_path) as opened:
        yield opened


def _race_before_release(course: Course, monkeypatch: pytest.MonkeyPatch) -> Raced:
    """The one schedule that matters: consent was asked for the last time, and the result is not yet released."""
    asked, answered = threading.Event(), threading.Event()
    release, shown = running._release, course.shows_evidence

    def _late_release(*arguments: Any) -> bool:
        asked.set()
        assert answered.wait(20)
        return release(*arguments)

    def _after_the_answer(self: Course, job: str) -> bool:
        found = shown(job)
        answered.set()
        return found

    monkeypatch.setattr(running, "_release", _late_release)
    monkeypatch.setattr(Course, "shows_evidence", _after_the_answer)

    def _until_asked() -> None:
        assert asked.wait(20)

    return course.race("p-1", _until_asked)


def test_a_withdrawal_between_the_last_question_and_the_release_is_seen(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    raced = _race_before_release(course, monkeypatch)
    assert (raced.shown_when_answered, raced.shown_at_last) == (False, False)


def test_the_same_on_postgresql(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sa.engine.make_url(postgres_url).update_query_dict({"options": "-csearch_path=diagnosis"})
    with open_course(tmp_path, url.render_as_string(hide_password=False)) as course:
        assert not _race_before_release(course, monkeypatch).is_violation


def test_a_build_that_skips_the_check_at_release_is_found_out(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "check_fence", lambda *_: None)
    assert _race_before_release(course, monkeypatch).is_violation


def test_a_build_that_answers_before_the_barrier_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_course(tmp_path, release_barrier=False) as course:
        assert _race_before_release(course, monkeypatch).is_violation


def test_a_withdrawal_that_cannot_reach_the_barrier_says_so_and_holds(course: Course) -> None:
    consent, job = course.admit("p-1")
    context = course.bed.common.model_copy(update={"diagnosis_url": "http://127.0.0.1:9"})
    from services.audit.clients import ReleaseBarrier
    from services.audit.errors import BarrierNotReached

    barrier = ReleaseBarrier(context)
    with pytest.raises(BarrierNotReached):
        barrier.raise_to("pat-" + "0" * 32, 1)
    barrier.close()
    course.withdraw(consent)
    running.run_job(course.worker, job)
    assert not course.shows_evidence(job)


def _race_at_random(course: Course, monkeypatch: pytest.MonkeyPatch, runs: int) -> list[Raced]:
    """Races at random moments. The worker is held up at random before each release: it may be stopped anywhere."""
    chance, held_up, took = random.Random(38), random.Random(39), 0.2
    release = running._release

    def _late_release(*arguments: Any) -> bool:
        time.sleep(held_up.uniform(0.0, LONGEST_PAUSE_S))
        return release(*arguments)

    monkeypatch.setattr(running, "_release", _late_release)
    raced: list[Raced] = []
    for number in range(runs):
        # A third anywhere in the job's life, the others around its end, where it matters.
        share = chance.uniform(0.0, 1.1) if number % 3 == 0 else chance.gauss(0.9, 0.1)
        delay = max(0.0, share * took)
        raced.append(course.race(f"p-{number}", lambda delay=delay: time.sleep(delay)))  # type: ignore[misc]
        took = 0.9 * took + 0.1 * raced[-1].job_s
    released = sum(one.shown_at_last for one in raced)
    violations = sum(one.is_violation for one in raced)
    print(f"{runs} races: {released} released, {runs - released} never, {violations} after the withdrawal")
    return raced


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_no_result_is_released_after_a_withdrawal_in_a_thousand_races(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    raced = _race_at_random(course, monkeypatch, RUNS)
    assert [n for n, one in enumerate(raced) if one.is_violation] == []
    released = sum(one.shown_at_last for one in raced)
    # Both sides must have won often, or nothing was raced.
    assert min(released, RUNS - released) > RUNS // 20


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_the_races_find_a_build_that_skips_the_check_at_release(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "check_fence", lambda *_: None)
    assert any(one.is_violation for one in _race_at_random(course, monkeypatch, RUNS // 5))
