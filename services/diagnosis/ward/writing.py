"""How notes are written: styles by site, length, typing errors, copied text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Writing:
    """How the ward's notes are written."""

    profile: str = "standard"


STANDARD_WRITING = Writing()
