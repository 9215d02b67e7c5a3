"""A plain peer that sends bytes over MLLP and reads frames; the `hl7` package reads the answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hl7

START, END = b"\x0b", b"\x1c\x0d"


def msh(kind: str, control_id: str = "M-1", **fields: str) -> str:
    """An MSH segment; `_18="8859/1"` sets MSH-18."""
    values = {3: "EPIC", 4: "GENERAL", 5: "CONSILIUM", 6: "GENERAL", 7: "20260314090000+0000"}
    values |= {9: kind, 10: control_id, 11: "P", 12: "2.5.1"}
    values |= {int(name.removeprefix("_")): value for name, value in fields.items()}
    last = max(values)
    return "MSH|^~\\&|" + "|".join(values.get(number, "") for number in range(3, last + 1))


class Peer:
    """The other end of an MLLP connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket, self._rest = connection, b""

    def send(self, *messages: str | bytes) -> None:
        """Send messages, each in a frame."""
        contents = (message.encode() if isinstance(message, str) else message for message in messages)
        self.socket.sendall(b"".join(START + content + END for content in contents))

    def receive(self) -> bytes | None:
        """The next frame's content; None when the other end closes first."""
        while END not in self._rest:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._rest += data
        frame, self._rest = self._rest.split(END, 1)
        assert frame.startswith(START)
        return frame[1:]

    def ask(self, message: str | bytes) -> Any:
        """Send a message and read one acknowledgement, with the `hl7` package."""
        self.send(message)
        return read_ack(self.receive())


def read_ack(frame: bytes | None) -> Any:
    """An acknowledgement as the `hl7` package reads it."""
    assert frame is not None
    return hl7.parse(frame.decode("latin-1"))


def code_of(ack: Any) -> str:
    """MSA-1."""
    return str(ack["MSA.F1"])


def faults_of(ack: Any) -> list[str]:
    """What the ERR segments name, such as `PID-3`, in order."""
    locations = [(err.extract_field(1, 2, 1, 1), err.extract_field(1, 2, 1, 3)) for err in ack.segments("ERR")]
    return [f"{segment}-{number}" if number else segment for segment, number in locations]


@contextmanager
def peer(port: int) -> Iterator[Peer]:
    """A connection to a listener on this machine."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        yield Peer(connection)
