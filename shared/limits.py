"""How much at once: bytes of a body, requests of a caller."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.callers import Principal, Role
from shared.errors import CarriedError, FieldProblem, TooLarge, TooManyRequests, problem_response

DRAIN_MAX_BYTES = 512 * 2**20
BURST_S = 10.0
"""A caller who was quiet may send the requests of so many seconds at once."""
CALLERS_KEPT = 10_000
"""Whoever has been quiet for longest is forgotten first, and so starts anew."""


class RateLimit:
    """Requests of each caller, as a token bucket: `per_s` in the long run, ten seconds' worth at once.

    In memory and per process: it holds back a client that runs away, and is no quota. Services are not held back:
    they carry what others sent.
    """

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Args: per_s: 0 switches the limit off."""
        self._per_s, self._clock = per_s, clock
        self._full_at: OrderedDict[tuple[str, str, str | None], float] = OrderedDict()
        """When each caller's bucket is full again; only callers whose bucket is not full matter."""

    def check(self, principal: Principal) -> None:
        """Count one request. Raises: TooManyRequests: with the seconds after which one more is let in.

        Runs on the event loop alone, so needs no lock.
        """
        if not self._per_s or principal.role is Role.SERVICE:
            return
        now, caller = self._clock(), (principal.issuer, principal.subject, principal.client_id)
        full_at = max(self._full_at.get(caller, now), now) + 1 / self._per_s
        wait_s = full_at - now - BURST_S
        if wait_s > 0:
            retry = {"Retry-After": str(math.ceil(wait_s))}
            raise TooManyRequests(f"More than {self._per_s:g} requests a second; wait and go on.", headers=retry)
        self._full_at[caller] = full_at
        self._full_at.move_to_end(caller)
        if len(self._full_at) > CALLERS_KEPT:
            self._full_at.popitem(last=False)


class BodyLimit:
    """ASGI middleware: a request body longer than the limit is answered 413, whether announced or streamed."""

    def __init__(self, app: ASGIApp, max_bytes: int, by_path: Mapping[str, int] = MappingProxyType({})) -> None:
        self._app, self._max, self._by_path = app, max_bytes, by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._by_path.get(scope["path"], self._max)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > most:
            await _drain(receive)
            await problem_response(_too_large(most))(scope, receive, send)
            return
        seen = 0

        async def _receive() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                if message.get("more_body", False):
                    await _drain(receive)
                # FastAPI turns whatever else is raised while it reads a body into a 400.
                raise CarriedError(_too_large(most))
            return message

        await self._app(scope, _receive, send)


def _too_large(most: int) -> TooLarge:
    field = FieldProblem("body", f"is larger than {most} bytes", "send less at once")
    return TooLarge(f"The body is larger than {most} bytes.", fields=[field], headers={"Connection": "close"})


async def _drain(receive: Receive) -> None:
    """Read the rest of a body and forget it: many clients look for the answer only when they have sent everything.

    Past a bound the connection is simply closed.
    """
    drained, more = 0, True
    while more and drained < DRAIN_MAX_BYTES:
        message = await receive()
        drained += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
