"""Which bundle a prediction came from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BundleIdentity:
    """Name and version are for people; the digest is what a result is bound to."""

    name: str
    version: str
    digest: str
    """`sha256:<hex>` of the canonical JSON of the manifest."""
