"""The log as it is published (C2SP tlog-tiles): at an HTTP address, or copied into a directory."""

from __future__ import annotations

import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path

from .entries import Row
from .faults import Bad, CannotCheck
from .notes import MAX_NOTE_BYTES, decimal, split_note, text_of
from .tree import HASH_BYTES, TILE_WIDTH

TIMEOUT_S = 30
MAX_BUNDLE_BYTES = TILE_WIDTH * 65_537


class Mirror:
    """A published log: one checkpoint, tiles, and bundles of entries."""

    def __init__(self, place: str) -> None:
        self._place = place.rstrip("/")
        self.note = text_of(self._read("checkpoint"), MAX_NOTE_BYTES)
        lines = split_note(self.note)[0].split("\n")
        # Only says what to fetch: it is believed when the signature has been checked.
        self.claimed = decimal(lines[1], "tree size") if len(lines) > 1 else 0

    def rows(self) -> Iterator[Row]:
        """The entries, by index; ends early at a bundle that ends within an entry. Raises: CannotCheck, Bad."""
        for n in range(-(-self.claimed // TILE_WIDTH)):
            width = min(TILE_WIDTH, self.claimed - n * TILE_WIDTH)
            for at, entry in enumerate(_entries(self._read(f"tile/entries/{_path(n, width)}"), n * TILE_WIDTH)):
                yield Row(n * TILE_WIDTH + at, entry)

    def tiles(self, level: int) -> Iterator[tuple[int, bytes]]:
        """Number and hashes of the tiles of one level, by number."""
        nodes = self.claimed >> 8 * level
        for n in range(-(-nodes // TILE_WIDTH)):
            width = min(TILE_WIDTH, nodes - n * TILE_WIDTH)
            hashes = self._read(f"tile/{level}/{_path(n, width)}")
            yield n, hashes[: width * HASH_BYTES]

    def top_level(self) -> int:
        """The highest level that the tree's tiles have."""
        return (self.claimed.bit_length() - 1) // 8 if self.claimed else -1

    def cosigned(self) -> str | None:
        """The newest note that witnesses have cosigned, where the log publishes one."""
        try:
            return text_of(self._read("checkpoint/witnessed"), MAX_NOTE_BYTES)
        except CannotCheck:
            return None

    def _read(self, path: str) -> bytes:
        if not self._place.startswith(("http://", "https://")):
            try:
                return Path(self._place, path).read_bytes()
            except OSError as error:
                hint = "; a suite's own log is db/audit.db in its data directory" if path == "checkpoint" else ""
                raise CannotCheck(f"cannot read {path}: {error.strerror}{hint}") from error
        request = urllib.request.Request(f"{self._place}/{path}", headers={"Accept-Encoding": "gzip"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # an http address
                body: bytes = answer.read(MAX_BUNDLE_BYTES)
                return _unpacked(body) if answer.headers.get("Content-Encoding") == "gzip" else body
        except urllib.error.HTTPError as error:
            # Whoever checks a suite has its address at hand, and that of its log is another one.
            hint = f"; a suite's log is at its address and /audit: {self._place}/audit" if path == "checkpoint" else ""
            raise CannotCheck(f"the log answered {error.code} to {path}{hint}") from error
        except OSError as error:
            raise CannotCheck(f"the log does not answer: {error}") from error


def _unpacked(body: bytes) -> bytes:
    """What was compressed, up to the size that a bundle may have: a hostile log must not fill the memory."""
    try:
        return zlib.decompressobj(wbits=31).decompress(body, MAX_BUNDLE_BYTES)
    except zlib.error as error:
        raise CannotCheck("the log answers what cannot be unpacked") from error


def _entries(bundle: bytes, first: int) -> Iterator[bytes]:
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle):
            raise Bad(f"the bundle of entries from {first} on ends within an entry")
        yield bundle[at + 2 : end]
        at = end


def _path(n: int, width: int) -> str:
    parts = [f"{n % 1000:03d}"]
    while n := n // 1000:
        parts.insert(0, f"x{n % 1000:03d}")
    return "/".join(parts) + ("" if width == TILE_WIDTH else f".p/{width}")
