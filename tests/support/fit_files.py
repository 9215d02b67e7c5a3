"""Writes small FIT files as the protocol says (FIT SDK, "Flexible & Interoperable Data Transfer Protocol")."""

from __future__ import annotations

import struct
from collections.abc import Sequence

UINT8, UINT16, UINT32, UINT32Z = (0x02, "B"), (0x84, "H"), (0x86, "I"), (0x8C, "I")
Value = int | Sequence[int]
Field = tuple[int, tuple[int, str], Value]
"""Number in the message, base type, value; several values are an array."""
FILE_ID, RECORD, MONITORING, HRV, SPO2, RESPIRATION = 0, 20, 55, 78, 269, 297
TIMESTAMP = 253
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


def fit_file(messages: Sequence[tuple[int, Sequence[Field]]]) -> bytes:
    """A FIT file with a file_id and these messages, each with a definition of its own."""
    identity = (FILE_ID, [(1, UINT16, 1), (3, UINT32Z, 4711)])
    data = b"".join(_message(number, fields) for number, fields in [identity, *messages])
    header = struct.pack("<BBHI4s", 14, 0x20, 2132, len(data), b".FIT")
    whole = header + struct.pack("<H", _crc(header)) + data
    return whole + struct.pack("<H", _crc(whole))


def _message(number: int, fields: Sequence[Field]) -> bytes:
    arrays = [[value] if isinstance(value, int) else value for *_, value in fields]
    forms = [f"{len(array)}{kind[1]}" for (_, kind, _), array in zip(fields, arrays, strict=True)]
    sizes = [struct.calcsize(f"<{form}") for form in forms]
    described = b"".join(bytes([n, size, kind[0]]) for (n, kind, _), size in zip(fields, sizes, strict=True))
    definition = struct.pack("<BBBHB", 0x40, 0, 0, number, len(fields)) + described
    values = struct.pack("<" + "".join(forms), *(value for array in arrays for value in array))
    return definition + b"\x00" + values


def _crc(content: bytes) -> int:
    crc = 0
    for byte in content:
        for half in (byte & 0xF, byte >> 4):
            crc = (crc >> 4) & 0x0FFF ^ _CRC[crc & 0xF] ^ _CRC[half]
    return crc
