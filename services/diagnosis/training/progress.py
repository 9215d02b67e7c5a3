"""Progress bars with an estimate of the time left, of each stage and of the whole run; lines where no terminal is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[], None]
Clock = Callable[[], float]
LINE_EVERY_S = 30.0


class Reporter:
    """Tells how far each stage has come, and the run."""

    def __init__(
        self, *, quiet: bool = False, costs: Mapping[str, float] | None = None, clock: Clock = time.monotonic
    ) -> None:
        """`costs`: stage -> its expected share of the run's time, in any unit; without it only stages are told."""
        columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, TextColumn("left"), TimeRemainingColumn(), disable=quiet)
        self._run = WholeRun(costs or {}, clock)
        self._bar = self._progress.add_task("whole run (%)", total=100) if costs else None
        self._clock, self._told_at = clock, clock()

    def __enter__(self) -> Reporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Count `total` steps under a title."""
        task, done = self._progress.add_task(title, total=total), [0]

        def advance() -> None:
            done[0] += 1
            self._progress.advance(task)
            self._run.advance(title, done[0] / total)
            self._show_run()
            if self._clock() - self._told_at >= LINE_EVERY_S:
                self.tell(f"{title}: {done[0]}/{total}{self._run}")

        yield advance
        self._progress.update(task, completed=total)
        self._run.advance(title, 1)
        self._show_run()
        self.tell(f"{title}: done{self._run}")

    def tell(self, line: str) -> None:
        """A line that stays, for logs without a live terminal."""
        self._told_at = self._clock()
        if not self._progress.disable and not self._progress.console.is_terminal:
            self._progress.console.print(line, highlight=False)

    def _show_run(self) -> None:
        if self._bar is not None:
            self._progress.update(self._bar, completed=round(100 * self._run.share))


class WholeRun:
    """How much of the run is done, by the expected cost of its stages, and how long the rest takes at this pace."""

    def __init__(self, costs: Mapping[str, float], clock: Clock) -> None:
        self._costs, self._clock, self._started = costs, clock, clock()
        self._done: dict[str, float] = {}

    def advance(self, stage: str, share: float) -> None:
        """`share` of a stage is done."""
        if stage in self._costs:
            self._done[stage] = share

    @property
    def share(self) -> float:
        """Of the whole run, in [0, 1]."""
        total = sum(self._costs.values())
        return sum(self._costs[stage] * done for stage, done in self._done.items()) / total if total else 0.0

    @property
    def left_s(self) -> float | None:
        """None: nothing is done yet."""
        return (self._clock() - self._started) * (1 - self.share) / self.share if self.share else None

    def __str__(self) -> str:
        left = self.left_s
        return "" if left is None else f"; whole run {self.share:.0%}, about {left / 60:.0f} min left"
