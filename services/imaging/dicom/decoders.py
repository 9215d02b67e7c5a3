"""A few child processes that decode, so that what a codec does at hostile bytes costs that one instance and no more.

A child crashes, runs out of memory or of time: the instance is refused by name, and the next one gets another child.
Children are programs of their own, not forks: a fork of a process with threads may inherit a lock that nobody holds.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from services.imaging.dicom.decoder_process import Child, Limits
from services.imaging.dicom.decoder_wire import FrameForm
from services.imaging.errors import DecodingStopped
from shared.errors import Unavailable

if TYPE_CHECKING:
    from services.imaging.dicom.codecs import Pixels
    from services.imaging.settings import Settings

log = structlog.get_logger(__name__)


class Decoders:
    """A pool of children, started as they are needed."""

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits = limits
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._closed = False

    def start_ahead(self) -> None:
        """Have a child ready, so that the first image does not wait for one."""
        with suppress(Unavailable):  # the first image will say so
            self._give_back(self._take())

    def decode(self, form: FrameForm, frame: bytes) -> Pixels:
        """Stored pixel values [rows, columns] of a compressed frame.

        Raises: UndecodablePixelData, DecodingStopped; Unavailable: all children are busy, or none can be started.
        """
        if not self._free.acquire(timeout=self.limits.wall_s):
            raise Unavailable("All decoders are busy; nothing was stored.")
        try:
            child = self._take()
            try:
                return child.decode(form, frame)
            except DecodingStopped as stopped:
                log.warning("decoding stopped", reason=stopped.fields[0].problem, syntax=form.transfer_syntax_uid)
                raise
            finally:
                self._give_back(child)
        finally:
            self._free.release()

    def _take(self) -> Child:
        with self._lock:
            child = self._idle.pop() if self._idle else None
        if child is not None and not child.usable:  # ended while it was idle
            child.close()
            child = None
        return child or Child(self.limits)

    def _give_back(self, child: Child) -> None:
        with self._lock:
            keep = child.usable and not self._closed
            if keep:
                self._idle.append(child)
        if not keep:
            child.close()

    def close(self) -> None:
        """End all children; those at work end when they are given back."""
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for child in idle:
            child.close()


def open_decoders(settings: Settings) -> Decoders:
    """The pool that the settings describe; no child runs yet."""
    limits = Limits(
        max_pixels=settings.max_pixels,
        memory_bytes=settings.decode_memory_bytes,
        cpu_s=settings.decode_cpu_s,
        wall_s=settings.decode_timeout_s,
    )
    return Decoders(limits, settings.decoders)
