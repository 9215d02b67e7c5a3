"""Metrics: what is written can be read back from both files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from services.diagnosis.training.loop.journal import LINES, Journal, read_journal


def _scalars(folder: Path) -> list[tuple[int, str, float]]:
    """Every scalar of TensorBoard's file: records of length, checksum, bytes, checksum (the TFRecord format)."""
    (path,) = folder.glob("events.out.tfevents.*")
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        data = data[16 + length :]
    return found


def test_both_files_hold_the_same_numbers(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(10, {"loss": 1.5, "gradient/norm": 0.25})
    journal.write(20, {"loss": 0.5})
    journal.close()
    assert read_journal(tmp_path) == [{"step": 10, "loss": 1.5, "gradient/norm": 0.25}, {"step": 20, "loss": 0.5}]
    assert _scalars(tmp_path) == [(10, "loss", 1.5), (10, "gradient/norm", 0.25), (20, "loss", 0.5)]


def test_a_resumed_stage_forgets_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / LINES).write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "loss": 2.0}\n{"step": 3, "lo')
    Journal(tmp_path, step=1).close()
    assert read_journal(tmp_path) == [{"step": 1, "loss": 3.0}]


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    journal = Journal(None)
    journal.write(1, {"loss": 1.0})
    journal.close()
    assert not list(tmp_path.iterdir())
