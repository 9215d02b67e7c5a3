"""Identifiers: UUIDv7, so that rows sort by creation and nothing about a patient can be read from them; derived ones
for acts that are told of more than once."""

from __future__ import annotations

import os
import time
import uuid

NAMESPACE = uuid.UUID("6c1f2a0e-5d0b-5c7e-9a57-3d1f0e6b8c42")


def uuid7() -> str:
    """A UUID version 7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def derived_id(*parts: str) -> str:
    """A UUID (version 5) that is the same for the same parts."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))
