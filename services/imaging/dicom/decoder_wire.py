"""What a decoder child and its parent say to one another: numbers of fixed size and raw pixels, nothing pickled.

A request is one JSON object (the `FrameForm` and the limit of CPU seconds) and the frame; an answer is a verdict and,
where that is `DECODED`, the type and shape of the pixels and the pixels themselves. The parent believes neither.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

REQUEST = struct.Struct("<IQ")
"""Lengths of the JSON object and of the frame."""
ANSWER = struct.Struct("<B3sIIB")
"""Verdict, NumPy type, rows, columns, samples a pixel."""
READY = b"R"
"""Sent once, when the child has imported its codecs and set its limits."""

DECODED, UNDECODABLE, OUT_OF_MEMORY = 0, 1, 2
TYPES = frozenset({"|u1", "|i1", "<u2", "<i2"})


@dataclass(frozen=True)
class FrameForm:
    """What a decoder must know of a compressed frame beside its bytes."""

    transfer_syntax_uid: str
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    pixel_representation: int
    photometric_interpretation: str
    samples_per_pixel: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the pixels: [rows, columns], and of colour [rows, columns, 3]."""
        size = (self.rows, self.columns)
        return size if self.samples_per_pixel == 1 else (*size, self.samples_per_pixel)


def read_into(read: Callable[[memoryview], int | None], buffer: memoryview) -> bool:
    """Fill a buffer from a pipe; False when the pipe ends before."""
    done = 0
    while done < len(buffer):
        got = read(buffer[done:])
        if not got:
            return False
        done += got
    return True


def read_exactly(read: Callable[[memoryview], int | None], length: int) -> bytes | None:
    """So many bytes from a pipe; None when it ends before."""
    buffer = bytearray(length)
    return bytes(buffer) if read_into(read, memoryview(buffer)) else None
