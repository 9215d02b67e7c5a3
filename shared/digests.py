"""Content addresses: `sha256:<hex>` of bytes, or of a value in canonical JSON (RFC 8785)."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785


def digest_bytes(content: bytes) -> str:
    """`sha256:<64 hex digits>` of the bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value (RFC 8785).

    Raises: rfc8785.CanonicalizationError: NaN, infinity, or an integer beyond 2^53.
    """
    return rfc8785.dumps(value)


def digest_json(value: Any) -> str:
    """`sha256:<hex>` of the value's canonical JSON: equal values have equal digests, whatever their key order."""
    return digest_bytes(canonical_json(value))
