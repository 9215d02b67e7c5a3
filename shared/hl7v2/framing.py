"""The Minimal Lower Layer Protocol (HL7 Transport Specification: MLLP, release 1): 0x0B, a message, 0x1C 0x0D."""

from __future__ import annotations

from collections.abc import Iterator

START, END = b"\x0b", b"\x1c\x0d"
BEGINNING_BYTES = 4096
"""How much of a message that is too long is kept: enough for its header."""


class FrameTooLong(Exception):
    """A message of more bytes than the limit; the stream cannot be read further."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__()
        self.beginning = beginning


def framed(message: bytes) -> bytes:
    """A message as it goes over the wire."""
    return START + message + END


class Deframer:
    """Finds messages in a stream of bytes, however it is cut. Bytes between two frames belong to none and are dropped.

    A start byte inside a message begins it anew: its sender was interrupted, and no message can hold that byte.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max, self._buffer = max_bytes, bytearray()
        self._is_inside, self._searched = False, 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that these bytes complete. Raises: FrameTooLong."""
        self._buffer += data
        while self._begin():
            end = self._buffer.find(END, max(0, self._searched - 1))
            if max(end, len(self._buffer) if end < 0 else 0) > self._max:
                raise FrameTooLong(bytes(self._buffer[:BEGINNING_BYTES]))
            if end < 0:
                # What was searched in vain is not searched again with the next bytes.
                self._searched = len(self._buffer)
                return
            yield self._take(end)

    def _begin(self) -> bool:
        """Whether a frame has begun: drops what stands before it."""
        if not self._is_inside:
            start = self._buffer.find(START)
            del self._buffer[: start + 1 if start >= 0 else len(self._buffer)]
            self._is_inside, self._searched = start >= 0, 0
        return self._is_inside

    def _take(self, end: int) -> bytes:
        message = bytes(self._buffer[:end])
        del self._buffer[: end + len(END)]
        self._is_inside = False
        return message[message.rfind(START) + 1 :]
