"""One decoder process and what it may take. Codecs are its alone; this module imports none."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from services.imaging.dicom.decoder_wire import (
    ANSWER,
    DECODED,
    OUT_OF_MEMORY,
    READY,
    REQUEST,
    TYPES,
    FrameForm,
    read_exactly,
    read_into,
)
from services.imaging.errors import DecodingStopped, UndecodablePixelData
from shared.errors import Unavailable

if TYPE_CHECKING:
    from services.imaging.dicom.codecs import Pixels

CHILD = "services.imaging.dicom.decoder_child"
START_S, STOP_S = 60.0, 2.0
PIPE_BYTES = 2**20
# Where programs and libraries are found. Nothing else of the environment is a decoder's business; some of it is secret.
KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "LANG")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limits:
    """What decoding one image may take."""

    max_pixels: int = 64 * 10**6
    memory_bytes: int = 2 * 2**30
    """Address space beyond what the codecs themselves take."""
    cpu_s: int = 30
    wall_s: float = 60.0
    decodes_per_child: int = 500
    """A child is replaced after so many: whatever a codec leaks goes with it."""


class Child:
    """One decoder process, used by one thread at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._decodes, self._late = limits, 0, False
        self._process = _started(limits)
        self._in: Any = self._process.stdin
        self._out: Any = self._process.stdout
        pipes: tuple[Any, ...] = (self._in, self._out)
        for pipe in pipes:
            with suppress(OSError):  # a larger pipe is quicker, and may be forbidden
                fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._await_ready()

    def _await_ready(self) -> None:
        with self._at_most(START_S):
            ready = read_exactly(self._out.readinto, len(READY))
        if ready != READY:
            self.close()
            log.error("decoder did not start", exit_status=self._process.returncode)
            raise Unavailable("No decoder could be started; nothing was stored.")

    def _at_most(self, seconds: float) -> _Watch:
        return _Watch(seconds, self._kill_late)

    def _kill_late(self) -> None:
        self._late = True
        self._process.kill()

    @property
    def usable(self) -> bool:
        """Whether it may decode another image."""
        fresh = self._decodes < self._limits.decodes_per_child
        return fresh and not self._late and self._process.poll() is None

    def decode(self, form: FrameForm, frame: bytes) -> Pixels:
        """Raises: DecodingStopped, UndecodablePixelData. After the first of them the child is not usable."""
        self._decodes += 1
        with self._at_most(self._limits.wall_s):
            values = self._asked(form, frame)
        if values is None:
            raise self._why_stopped()
        return values

    def _asked(self, form: FrameForm, frame: bytes) -> Pixels | None:
        described = json.dumps({**asdict(form), "cpu_s": self._limits.cpu_s}).encode()
        try:
            for piece in (REQUEST.pack(len(described), len(frame)), described, frame):
                self._write(piece)
        except OSError:
            return None
        head = read_exactly(self._out.readinto, ANSWER.size)
        return None if head is None else self._pixels(form, *ANSWER.unpack(head))

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while len(view):
            view = view[self._in.write(view) :]

    def _pixels(
        self, form: FrameForm, verdict: int, type_: bytes, rows: int, columns: int, samples: int
    ) -> Pixels | None:
        import numpy as np

        if verdict == OUT_OF_MEMORY:
            self.close()
            raise _stopped(f"decoding it needs more than {self._limits.memory_bytes} bytes of memory")
        if verdict != DECODED:
            raise undecodable()
        announced = (rows, columns, samples)
        if type_.decode("latin-1") not in TYPES or announced != (form.rows, form.columns, form.samples_per_pixel):
            self.close()  # what it would send now is not what is asked for
            raise undecodable()
        values: Pixels = np.empty(form.shape, type_.decode())
        return values if read_into(self._out.readinto, values.data.cast("B")) else None

    def _why_stopped(self) -> DecodingStopped:
        self.close()
        if self._late:
            return _stopped(f"decoding it takes longer than {self._limits.wall_s:g} s")
        if self._process.returncode == -signal.SIGXCPU:
            return _stopped(f"decoding it takes longer than {self._limits.cpu_s} s of processor time")
        return _stopped("it makes the decoder crash")

    def close(self) -> None:
        """End the process; its pipes are closed too."""
        for pipe in (self._in, self._out):
            pipe.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Watch:
    """Calls `late` when its block takes longer than it may."""

    def __init__(self, seconds: float, late: Any) -> None:
        self._timer = threading.Timer(seconds, late)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _started(limits: Limits) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-B", "-P", "-m", CHILD, str(limits.memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_environment(),
        )
    except OSError as error:
        log.error("decoder did not start", reason=error.strerror)
        raise Unavailable("No decoder could be started; nothing was stored.") from error


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[3])
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.pathsep.join([root, *(entry for entry in sys.path if entry)])
    return {**kept, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _stopped(problem: str) -> DecodingStopped:
    return DecodingStopped("PixelData", problem, "send the instance uncompressed, or compress it again")


def undecodable() -> UndecodablePixelData:
    """The refusal of a compressed image that no decoder can read."""
    return UndecodablePixelData(
        "PixelData",
        "no decoder can read the compressed image",
        "send the instance uncompressed (Explicit VR Little Endian), or compress it again",
    )
