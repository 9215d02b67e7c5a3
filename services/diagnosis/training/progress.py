"""One progress bar with an estimate of the time left, or silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[], None]


class Reporter:
    """Tells how far each stage has come."""

    def __init__(self, *, quiet: bool = False) -> None:
        columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, TextColumn("left"), TimeRemainingColumn(), disable=quiet)

    def __enter__(self) -> Reporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Count `total` steps under a title."""
        task = self._progress.add_task(title, total=total)
        yield lambda: self._progress.advance(task)
        self._progress.update(task, completed=total)
        self.tell(f"{title}: done")

    def tell(self, line: str) -> None:
        """A line that stays, for logs without a live terminal."""
        if not self._progress.disable and not self._progress.console.is_terminal:
            self._progress.console.print(line, highlight=False)
