"""A client that runs away is held back, others are not, and nobody who is patient is ever refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import limits
from shared.callers import Principal, Role
from shared.errors import TooManyRequests
from shared.limits import BURST_S, RateLimit

GRACE = Principal("iss", "grace", Role.CLINICIAN, "default", None, "j")


class Clock:
    """Moved by hand, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _let_in(limit: RateLimit, caller: Principal = GRACE, tries: int = 10_000) -> int:
    for n in range(tries):
        try:
            limit.check(caller)
        except TooManyRequests:
            return n
    return tries


def test_a_burst_is_let_in_and_then_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(5, clock)
    assert _let_in(limit) == 5 * BURST_S
    clock.now += 2
    assert _let_in(limit) == 10


def test_the_refusal_says_when_to_come_back_and_that_is_soon_enough() -> None:
    clock = Clock()
    limit = RateLimit(0.5, clock)
    _let_in(limit)
    with pytest.raises(TooManyRequests) as refusal:
        limit.check(GRACE)
    clock.now += int(refusal.value.headers["Retry-After"])
    limit.check(GRACE)


def test_one_caller_does_not_hold_back_another() -> None:
    limit = RateLimit(1, Clock())
    _let_in(limit)
    limit.check(replace(GRACE, subject="ada"))
    limit.check(replace(GRACE, client_id="tablet"))


def test_services_are_not_held_back() -> None:
    assert _let_in(RateLimit(1, Clock()), replace(GRACE, role=Role.SERVICE), 1000) == 1000


def test_zero_is_no_limit() -> None:
    assert _let_in(RateLimit(0, Clock()), tries=1000) == 1000


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALLERS_KEPT", 3)
    limit = RateLimit(1, Clock())
    for n in range(50):
        limit.check(replace(GRACE, subject=str(n)))
    assert len(limit._full_at) == 3


@given(st.lists(st.floats(0, 5), max_size=200), st.sampled_from([1.0, 2.0, 7.0]))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float], rate: float) -> None:
    clock = Clock()
    limit, let_in = RateLimit(rate, clock), 0
    for pause in pauses:
        clock.now += pause
        let_in += _let_in(limit, tries=3)
    assert let_in <= rate * (BURST_S + clock.now) + 1e-6
