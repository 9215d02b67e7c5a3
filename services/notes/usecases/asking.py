"""Who asks something of this service."""

from __future__ import annotations

from dataclasses import dataclass

from shared.auth import Principal


@dataclass(frozen=True)
class Asker:
    """On whose behalf something is done."""

    principal: Principal
    request_id: str
