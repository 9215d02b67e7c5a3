"""Threads of this service's own, for routes that wait for a neighbour.

Embedded, the neighbour is served by the same process, and its routes take their threads from the process's common pool.
Were our waiting routes to sit in that pool too, enough of them at once would hold every thread that could answer them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

THREADS = 32
P = ParamSpec("P")
R = TypeVar("R")

_limiter: RunVar[CapacityLimiter] = RunVar("consilium_ehr_threads")


def on_own_threads(route: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Run a plain route on this service's own threads, at most `THREADS` at a time; more wait without a thread."""

    @functools.wraps(route)
    async def _run(*args: P.args, **kwargs: P.kwargs) -> R:
        return await to_thread.run_sync(functools.partial(route, *args, **kwargs), limiter=_own())

    return _run


def _own() -> CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
        return limiter
