"""How wearables measure and send: noise, gaps, clocks, late and duplicate samples, units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wearable:
    """How the ward's wearables measure and send."""

    profile: str = "standard"


STANDARD_WEARABLE = Wearable()
