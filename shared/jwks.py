"""Public keys of a token issuer (JWK Set, RFC 7517): from a file, or from the issuer, who is asked within limits."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.certificates import authorities
from shared.errors import Unavailable

MAX_AGE_S = 600.0
"""Keys are asked for again after this time: a key that the issuer withdrew is believed no longer."""
MIN_INTERVAL_S = 30.0
"""The issuer is not asked more often, however many unknown keys callers name."""
MAX_STALE_S = 24 * 3600.0
"""Old keys are believed for this long while the issuer does not answer."""
MAX_BYTES = 256 * 1024
TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class KeySource(Protocol):
    """Where a verifier has its keys from."""

    def current(self) -> KeySet:
        """The keys, without waiting for anybody. Raises: Unavailable: there are none yet."""

    def lacks(self, kid: str | None) -> bool:
        """Whether asking the issuer now could help with a token of this key."""

    def refresh(self) -> None:
        """Ask the issuer, unless somebody has just done so. May take seconds."""


class FileKeys:
    """Keys in a file, read again when it changes, so that they rotate without a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._read_at: int | None = None
        self._keys = KeySet([])

    def current(self) -> KeySet:
        """The keys as the file holds them."""
        changed_at = self._file.stat().st_mtime_ns
        with self._lock:
            if changed_at != self._read_at:
                self._keys = KeySet.import_key_set(json.loads(self._file.read_text()))
                self._read_at = changed_at
            return self._keys

    def lacks(self, kid: str | None) -> bool:
        """Never: the file is looked at each time."""
        return False

    def refresh(self) -> None:
        """Nothing to do."""


class UrlKeys:
    """Keys at the issuer's `jwks_uri`, kept in memory."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._clock = url, clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = self._asked_at = float("-inf")

    def current(self) -> KeySet:
        """The keys that the issuer gave last. Raises: Unavailable: it has given none, or none for a day."""
        if self._keys is None or self._clock() - self._fetched_at > MAX_STALE_S:
            raise Unavailable("The token issuer's keys are not known yet.", headers={"Retry-After": "5"})
        return self._keys

    def lacks(self, kid: str | None) -> bool:
        """The key is unknown, or the keys are old, and the issuer was not asked a moment ago."""
        now = self._clock()
        if now - self._asked_at < MIN_INTERVAL_S:
            return False
        is_known = self._keys is not None and (kid is None or any(key.kid == kid for key in self._keys))
        return not is_known or now - self._fetched_at > MAX_AGE_S

    def refresh(self) -> None:
        """Ask the issuer once, whoever else wants the same; what cannot be read leaves the old keys in place."""
        with self._lock:
            if self._clock() - self._asked_at < MIN_INTERVAL_S:
                return
            self._asked_at = self._clock()
            try:
                self._keys = _fetch(self._url)
            except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
                log.warning("issuer's keys not read", error=type(error).__name__)
            else:
                self._fetched_at = self._clock()


def _fetch(url: str) -> KeySet:
    with (
        httpx.Client(timeout=TIMEOUT_S, verify=authorities(), trust_env=False) as http,
        http.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        content = b""
        for part in answer.iter_bytes():
            content += part
            if len(content) > MAX_BYTES:
                raise ValueError("a JWK Set of this size is none")
    return KeySet.import_key_set(json.loads(content))
