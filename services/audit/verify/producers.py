"""Each producer numbers its events: a number that never came is an event that was taken away before it was logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_SHOWN = 100


class Producers:
    """The numbers seen of each producer, as ranges; whatever the order in which they come."""

    def __init__(self) -> None:
        self._ranges: dict[str, list[list[int]]] = {}

    def saw(self, event: dict[str, Any]) -> None:
        """Note the number of an event, if it bears one."""
        number, producer = event.get("producerSeq"), event.get("producer")
        if type(number) is not int or not isinstance(producer, str):
            return
        ranges = self._ranges.setdefault(producer, [])
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])

    def facts(self) -> dict[str, Any]:
        """The highest number of each producer, and the numbers that are missing below it."""
        producers = {
            name: {"highest": max(end for _, end in ranges), "missing": list(_missing(ranges))[:MAX_SHOWN]}
            for name, ranges in sorted(self._ranges.items())
        }
        return {"producers": producers} if producers else {}


def _missing(ranges: list[list[int]]) -> Iterator[list[int]]:
    """First and last of each gap, numbers beginning at 1."""
    following = 1
    for first, last in sorted(ranges):
        if first > following:
            yield [following, first - 1]
        following = max(following, last + 1)
