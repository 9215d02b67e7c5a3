"""What the guards of a request cost: headers, rate limit, token, each alone and in microseconds.

`python -m tests.load.bench_guards`: medians of 30 rounds of 2,000 calls, and the range of the rounds.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shared.auth import Role, verifier_from
from shared.headers import SecurityHeaders
from shared.limits import RateLimit
from tests.support.common import make_test_bed

ROUNDS, CALLS = 30, 2000


async def measure(name: str, call: Callable[[], Awaitable[Any]]) -> None:
    """Print the median and the range of a call's microseconds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS):
            await call()
        rounds.append((time.perf_counter() - started) / CALLS * 1e6)
    print(f"{name:<24} {statistics.median(rounds):7.1f} µs   ({min(rounds):.1f} to {max(rounds):.1f})")


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    """An app that does nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b""})


async def nowhere(_message: Any = None) -> Any:
    """A caller who does not listen."""


async def main() -> None:
    """Measure all."""
    with tempfile.TemporaryDirectory() as directory:
        bed = make_test_bed(Path(directory))
        issuers, limit = verifier_from(bed.common), RateLimit(1e12)
        token = bed.issuer.mint(Role.CLINICIAN)
        principal = issuers.verify(token)
        guarded = SecurityHeaders(answer, hsts_s=60)

        async def check() -> None:
            limit.check(principal)

        await measure("an app that does nothing", lambda: answer(None, nowhere, nowhere))
        await measure("with security headers", lambda: guarded({"type": "http"}, nowhere, nowhere))
        await measure("rate limit", check)
        await measure("token", lambda: issuers.admit(token))


if __name__ == "__main__":
    asyncio.run(main())
