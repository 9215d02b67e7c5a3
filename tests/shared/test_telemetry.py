"""Logs that cannot be written cost nothing but themselves."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pytest

from shared.telemetry import LossyStream


def test_a_line_for_which_there_is_no_room_is_lost_without_an_error() -> None:
    with Path("/dev/full").open("wb", buffering=0) as device:
        full = io.TextIOWrapper(device, write_through=True)
        with pytest.raises(OSError, match="No space left"):
            full.write("a line\n")
        stream = LossyStream(full)
        assert stream.write("a line\n") == len("a line\n")
        stream.flush()
        with suppress(OSError):
            full.detach()


def test_a_line_for_which_there_is_room_arrives(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        stream = LossyStream(file)
        stream.write("a line\n")
        stream.flush()
        assert path.read_text() == "a line\n"
