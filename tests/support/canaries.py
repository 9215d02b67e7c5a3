"""Unmistakable strings to plant where patient data comes in, and where to look for them afterwards."""

from __future__ import annotations

import base64
import re
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from services.suite.services import SERVICES
from shared.auth import Role
from shared.tlog.tiles import decode_bundle, format_tile_path
from tests.support.files import files_below
from tests.support.suite import RunningSuite

ENTRIES_A_BUNDLE = 256


@dataclass(frozen=True)
class Canary:
    """One root that stands in every planted value, so that one search finds them all."""

    root: str = field(default_factory=lambda: f"Zq{secrets.token_hex(6)}")

    def named(self, kind: str) -> str:
        """A value to plant; letters and digits alone, so that no door changes it."""
        return f"{self.root}{kind}"

    def spellings(self) -> list[bytes]:
        """The root as it is, in upper and lower case, as hex, and as base64 wherever in a text it stands."""
        plain = [self.root.encode(), self.root.upper().encode(), self.root.lower().encode()]
        encoded = [spelt for text in plain for spelt in (text.hex().encode(), text.hex().upper().encode())]
        for text in plain:
            for before in range(3):
                whole = base64.b64encode(b"x" * before + text)
                # The first and last characters depend on what stands around.
                encoded.append(whole[4 if before else 0 : len(whole) - 4])
        return plain + encoded

    def in_text(self, text: bytes | str) -> bool:
        """Whether any spelling stands in a text."""
        content = text.encode() if isinstance(text, str) else text
        return any(spelling in content for spelling in self.spellings())


def logs_of(suite: RunningSuite) -> dict[str, bytes]:
    """Everything that the suite's processes wrote."""
    files = [*suite.data.logs.iterdir(), suite.data.root.parent / f"{suite.data.root.name}-up.log"]
    return {file.name: file.read_bytes() for file in files if file.is_file()}


def metrics_of(suite: RunningSuite) -> dict[str, bytes]:
    """The metrics of every process that has some."""
    first = int(suite.address.rsplit(":", 1)[1])
    ports = {"web": first} if suite.topology == "embedded" else {s.name: first + 1 + n for n, s in enumerate(SERVICES)}
    headers = {"Authorization": f"Bearer {suite.data.issuer.mint(Role.ADMIN)}"}
    found = {}
    for name, port in ports.items():
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=headers, timeout=30, trust_env=False)
        found[name] = answer.raise_for_status().content
    return found


def leaves_of(suite: RunningSuite) -> list[bytes]:
    """Every entry of the log, read from the public tiles."""
    with httpx.Client(base_url=suite.address, timeout=30, trust_env=False) as http:
        size = int(http.get("/audit/checkpoint").raise_for_status().text.split("\n")[1])
        leaves: list[bytes] = []
        for n in range(-(-size // ENTRIES_A_BUNDLE)):
            width = min(ENTRIES_A_BUNDLE, size - n * ENTRIES_A_BUNDLE)
            path = format_tile_path(n, width)
            leaves += decode_bundle(http.get(f"/audit/tile/entries/{path}").raise_for_status().content)
    return leaves


def names_of(suite: RunningSuite) -> bytes:
    """Names of all files of the suite, and the arguments of its processes."""
    names = "\n".join(str(path.relative_to(suite.data.root)) for path in files_below(suite.data.root)).encode()
    arguments = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in suite.pids().values()]
    return b"\n".join([names, *arguments])


@contextmanager
def broker_traffic(suite: RunningSuite) -> Iterator[bytearray]:
    """Every command that the broker gets meanwhile."""
    configuration = dict(re.findall(r"^(\w+) (.+)$", (suite.data.root / "valkey" / "valkey.conf").read_text(), re.M))
    heard = bytearray()
    with socket.create_connection(("127.0.0.1", int(configuration["port"]))) as connection:
        connection.sendall(f"AUTH {configuration['requirepass']}\r\nMONITOR\r\n".encode())
        listener = threading.Thread(target=_listen, args=(connection, heard), daemon=True)
        listener.start()
        try:
            yield heard
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            listener.join(5)


def _listen(connection: socket.socket, heard: bytearray) -> None:
    while data := connection.recv(65536):
        heard += data


def found_in(canary: Canary, places: Mapping[str, bytes]) -> dict[str, bytes]:
    """Where the canary stands, with the line."""
    return {
        name: line[:300] for name, content in places.items() for line in content.splitlines() if canary.in_text(line)
    }
