"""The program of a decoder child: `python -m services.imaging.dicom.decoder_child MEMORY_BYTES`.

It reads requests from stdin and writes pixels to what was stdout, until stdin ends. It may be killed at any time: it
owns nothing. It is given no secrets (`decoder_process` starts it without the environment) and cannot write files.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
from typing import Any

import numpy as np

from services.imaging.dicom.codecs import Pixels, decode_frame
from services.imaging.dicom.decoder_wire import (
    ANSWER,
    DECODED,
    OUT_OF_MEMORY,
    READY,
    REQUEST,
    UNDECODABLE,
    FrameForm,
    read_exactly,
)

OPEN_FILES = 32


def main(decode: Any = decode_frame) -> None:
    """Serve until stdin ends."""
    source, target = io.FileIO(0), io.FileIO(_keep_stdout(), "w")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to handle
    _limit(int(sys.argv[1]))
    target.write(READY)
    while True:
        head = read_exactly(source.readinto, REQUEST.size)
        if head is None:
            return
        described, length = REQUEST.unpack(head)
        asked = json.loads(read_exactly(source.readinto, described) or b"")
        frame = read_exactly(source.readinto, length)
        if frame is None:
            return
        _limit_cpu(asked.pop("cpu_s"))
        _answer(target, *_decoded(decode, FrameForm(**asked), frame))


def _keep_stdout() -> int:
    """Our own end of the pipe; what codecs print goes nowhere."""
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    return kept


def _limit(memory_bytes: int) -> None:
    """Memory beyond what the codecs themselves take; no core dumps (they hold patients' images), no files."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, now + memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
    ):
        resource.setrlimit(what, (most, most))


def _limit_cpu(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def _decoded(decode: Any, form: FrameForm, frame: bytes) -> tuple[int, Pixels]:
    try:
        return DECODED, np.ascontiguousarray(decode(form, frame))
    except MemoryError:
        return OUT_OF_MEMORY, np.empty((0, 0), np.uint8)
    except BaseException:
        # Whatever a decoder raises at these bytes, they are what is wrong; the RLE decoder's panics are no Exception.
        return UNDECODABLE, np.empty((0, 0), np.uint8)


def _answer(target: io.FileIO, verdict: int, values: Pixels) -> None:
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3):
        verdict, values = UNDECODABLE, np.empty((0, 0), np.uint8)
    samples = 1 if values.ndim == 2 else 3
    _write(target, ANSWER.pack(verdict, values.dtype.str.encode(), *values.shape[:2], samples))
    _write(target, values.data.cast("B") if values.size else b"")


def _write(target: io.FileIO, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while len(view):
        view = view[target.write(view) :]


if __name__ == "__main__":
    main()
