"""What workers are told of the model registry."""

from __future__ import annotations

from shared.contracts.base import Wire


class ServedBundle(Wire):
    """A registered bundle; the digest is that of its files."""

    id: str
    name: str
    version: str
    digest: str


class Serving(Wire):
    """`GET /internal/audit/models/serving` (role service): which bundles answer, as the log tells of it."""

    active: ServedBundle | None
    """None: nothing may be answered."""
    canary: ServedBundle | None = None
    canary_percent: int = 0
    """Of the patients, whom the canary answers for."""
    shadow: ServedBundle | None = None
    previous: ServedBundle | None = None
    """What a rollback would make active."""
