"""What all stages of one run share: where it works, where it reports, on which device and in which precision."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

Precision = Literal["32", "bf16-mixed", "16-mixed"]
Device = Literal["auto", "cpu"]


@dataclass(frozen=True)
class Session:
    """The default keeps nothing: no checkpoints, no metrics."""

    work: Path | None = None
    """Directory of the checkpoints, one file per stage."""
    metrics: Path | None = None
    """Directory of the metrics, one folder per stage."""
    precision: Precision = "32"
    device: Device = "cpu"
    checkpoint_every_s: float = 60.0
    log_every: int = 10
    """Steps between two lines of metrics."""


def open_work(out: Path, recipe: Mapping[str, Any], seed: int, *, fresh: bool) -> Path:
    """`OUT.work/<key>`: the key is a digest of recipe, seed, torch and number of processes that share a batch.

    Another recipe or seed works beside it; `fresh` forgets what this one had done.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    told = json.dumps({"recipe": recipe, "seed": seed, "torch": torch.__version__, "world": world}, sort_keys=True)
    work = out.with_name(out.name + ".work") / hashlib.sha256(told.encode()).hexdigest()[:16]
    if fresh and is_first():
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    return work


def close_work(work: Path) -> None:
    """Remove the checkpoints of a run that succeeded, and their folder when no other run uses it."""
    shutil.rmtree(work, ignore_errors=True)
    if work.parent.is_dir() and not any(work.parent.iterdir()):
        work.parent.rmdir()


def is_first() -> bool:
    """Whether this process speaks for the run: the only one, or rank 0 under torchrun."""
    return os.environ.get("RANK", "0") == "0"


def is_shared() -> bool:
    """Whether several processes of torchrun share every batch."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
