"""Work spread over processes, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], processes: int, *, ahead: int = 2
) -> Iterator[Result]:
    """`map` over processes, in order; at most `processes * ahead` results wait. Spawned, never forked.

    Args:
        function: picklable; so are the items and the results.
    """
    if processes <= 1:
        yield from map(function, items)
        return
    rest = iter(items)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(rest, processes * ahead))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)
