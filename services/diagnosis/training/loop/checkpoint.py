"""Checkpoints: one file per stage, replaced as a whole, read without running anything (`weights_only`)."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from services.diagnosis.training.errors import CheckpointUnusable

FORMAT = 1


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the file at once: a process killed in between leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state that was written, tensors in main memory; None: there is no file.

    Raises: CheckpointUnusable: damaged, or of another format.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointUnusable(path, "it cannot be read") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointUnusable(path, "it is of another format")
    return state
