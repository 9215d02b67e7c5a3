"""Identifiers: UUIDv7, so that rows sort by creation and nothing about a patient can be read from them."""

from __future__ import annotations

import os
import time
import uuid


def uuid7() -> str:
    """A UUID version 7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    return str(uuid.UUID(int=value))
