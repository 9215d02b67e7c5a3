"""multipart/related messages (RFC 2387, PS3.18 section 8.6), read and written; bodies are binary."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message

from services.imaging.errors import MalformedMultipart
from shared.errors import FieldProblem


@dataclass(frozen=True)
class Part:
    """One part: its media type in lower case without parameters, and its bytes."""

    media_type: str
    content: bytes


def parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case and its parameters, quotes removed."""
    message = Message()
    message["Content-Type"] = content_type
    found = message.get_params(failobj=[])
    return found[0][0].lower() if found else "", {name.lower(): value for name, value in found[1:]}


def parse(body: bytes, boundary: str) -> list[Part]:
    """The parts of a multipart body.

    Raises: MalformedMultipart: no boundary, none found, or the closing one is missing (the body was cut off).
    """
    if not boundary or len(boundary) > 70:
        raise _malformed(
            "boundary", "is missing or longer than 70 characters", "name it in the Content-Type (RFC 2046)"
        )
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    # The first delimiter may stand at the very start, where its line break belongs to the header block.
    framed = b"\r\n" + body if body.startswith(delimiter[2:]) else body
    at = framed.find(delimiter)
    if at < 0:
        raise _malformed(
            "body", "the boundary of the Content-Type does not occur in it", "use one and the same boundary"
        )
    parts: list[Part] = []
    while True:
        start = at + len(delimiter)
        if framed[start : start + 2] == b"--":
            return parts
        at = framed.find(delimiter, start)
        if at < 0:
            raise _malformed(
                "body", "the closing boundary is missing", "send the whole body; it was cut off on its way"
            )
        parts.append(_part(framed[start:at]))


def _part(raw: bytes) -> Part:
    line_end = raw.find(b"\r\n")
    if line_end < 0 or raw[:line_end].strip(b" \t"):
        raise _malformed("body", "a boundary line holds other text", "end boundary lines with CRLF")
    raw = raw[line_end:]
    if raw.startswith(b"\r\n\r\n"):
        return Part("", raw[4:])
    end = raw.find(b"\r\n\r\n")
    if end < 0:
        raise _malformed(
            "body", "the header of a part does not end", "put an empty line between its header and its bytes"
        )
    header = raw[2:end].decode("latin-1")
    for line in header.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return Part(parameters(value.strip())[0], raw[end + 4 :])
    return Part("", raw[end + 4 :])


def _malformed(field: str, problem: str, fix: str) -> MalformedMultipart:
    return MalformedMultipart(f"{field}: {problem}", fields=[FieldProblem(field, problem, fix)])


def build(parts: Iterable[tuple[str, bytes]], root_type: str) -> tuple[bytes, str]:
    """A body of (content type, bytes) parts, and the Content-Type that goes with it."""
    boundary = secrets.token_hex(16)
    pieces = []
    for content_type, content in parts:
        pieces += [f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode(), content, b"\r\n"]
    body = b"".join([*pieces, f"--{boundary}--\r\n".encode()])
    return body, f'multipart/related; type="{root_type}"; boundary={boundary}'
