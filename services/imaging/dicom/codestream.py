"""The size that a compressed frame announces for itself, read from its first bytes and without decoding.

A frame whose code stream is larger than its header says could make a decoder allocate any amount of memory.
"""

from __future__ import annotations

import struct

SOI, SOS = 0xD8, 0xDA
# Start-of-frame markers of JPEG and JPEG-LS (T.81 table B.1, T.87 C.1.1); C4, C8 and CC are other segments.
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}


def announced_size(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) by the frame's own JPEG, JPEG-LS or JPEG 2000 header; None where it has none that is readable."""
    at = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    if at >= 0:
        return _jpeg_2000(frame[at + 4 : at + 24])
    if frame[:2] == bytes((0xFF, SOI)):
        return _jpeg(frame)
    return None


def _jpeg_2000(segment: bytes) -> tuple[int, int] | None:
    # T.800 A.5.1: Lsiz, Rsiz, then the reference grid's size and the image's offset in it.
    if len(segment) < 20:
        return None
    _, _, x_size, y_size, x_offset, y_offset = struct.unpack(">HHIIII", segment)
    return y_size - y_offset, x_size - x_offset


def _jpeg(frame: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in START_OF_FRAME:
            rows, columns = struct.unpack(">HH", frame[at + 5 : at + 9])
            return rows, columns
        if marker == SOS:
            return None
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
