"""Places where a test may have the process die, to see what a power cut would leave behind."""

from __future__ import annotations

import os
import signal
from collections import Counter

_hits: Counter[str] = Counter()


def reach(name: str) -> None:
    """Die here by SIGKILL if `CONSILIUM_AUDIT_FAILPOINT` is `<name>` or `<name>:<how many times to pass before>`."""
    wanted = os.environ.get("CONSILIUM_AUDIT_FAILPOINT")
    if not wanted:
        return
    point, _, passes = wanted.partition(":")
    if point == name:
        _hits[name] += 1
        if _hits[name] > int(passes or 0):
            os.kill(os.getpid(), signal.SIGKILL)
