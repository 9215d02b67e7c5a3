"""Metrics of one stage: always a line of JSON, and the same numbers for TensorBoard."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LINES = "metrics.jsonl"


class Journal:
    """Two files in `folder`. A resumed stage forgets what the killed one wrote after its last checkpoint."""

    def __init__(self, folder: Path | None, *, step: int = 0) -> None:
        """`step`: where the stage starts; later lines of an earlier try are dropped.

        `folder` None: nothing is written.
        """
        self._lines, self._board = None, None
        if folder is None:
            return
        from tensorboardX import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        if step == 0:
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
        _forget(folder / LINES, step)
        self._lines = (folder / LINES).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder), purge_step=step or None)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """`values` by name; a slash in a name groups it."""
        if self._lines is None or self._board is None:
            return
        self._lines.write(json.dumps({"step": step, **values}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        if self._lines is not None and self._board is not None:
            self._lines.close()
            self._board.close()


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """The lines of a stage's metrics, oldest first."""
    return [json.loads(line) for line in (folder / LINES).read_text("utf-8").splitlines()]


def _forget(path: Path, step: int) -> None:
    """Keep the whole lines up to `step`; a killed process may have left half a line."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except ValueError:
            break
    partial = path.with_suffix(".partial")
    partial.write_text("".join(kept), "utf-8")
    os.replace(partial, path)
