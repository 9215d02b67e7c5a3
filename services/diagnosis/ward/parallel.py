"""Work spread over processes, results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int, *, ahead: int = 2
) -> Iterator[Result]:
    """`map` over processes, in order; at most `processes * ahead` results wait. Spawned, never forked.

    The processes end with this one, however it ends.

    Args:
        function: picklable; so are the items and the results.
    """
    if processes <= 1:
        yield from map(function, items)
        return
    rest = iter(items)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(rest, processes * ahead))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    # A killed parent closes no queue of the pool: its processes would wait for work for ever.
    Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
