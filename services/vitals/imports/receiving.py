"""Reads the body of `POST /vitals/imports` as it comes: the file goes to the blob store piece by piece.

The framework would read a form before it asks who sends it, and keep the file a second time.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from services.vitals.errors import NotAForm, NotAnImport
from services.vitals.imports.detection import HEAD_BYTES, TAKEN, Format, detect
from services.vitals.imports.domain import Upload
from services.vitals.imports.pieces import PIECE_BYTES, blobs_of, list_pieces, new_owner
from shared.blobs import BlobStore
from shared.erasure import FIRST
from shared.errors import Unavailable

MAX_FIELD_BYTES = 1024
FORM_BYTES = 64 * 2**10
"""What a form may have around its file."""
_FIELDS = frozenset({"file", "patient", "zone"})


@dataclass
class _File:
    """A file on its way into the blob store."""

    store: BlobStore
    owner: str = field(default_factory=new_owner)
    waiting: bytearray = field(default_factory=bytearray)
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    form: Format | None = None

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()
        self.blobs = blobs_of(self.store, self.owner)

    def flush(self, *, end: bool = False) -> None:
        """Store what is whole, at the end also what is not. Raises: NotAnImport: as soon as the format is unknown."""
        while len(self.waiting) >= PIECE_BYTES or (end and self.waiting):
            piece = bytes(self.waiting[:PIECE_BYTES])
            if not self.pieces:
                self.form = detect(piece[:HEAD_BYTES], whole=end and len(piece) <= HEAD_BYTES)
                if self.form is None:
                    raise NotAnImport("file", "is of no format that is taken here", f"send {TAKEN}")
            del self.waiting[:PIECE_BYTES]
            self._digest.update(piece)
            self.size += len(piece)
            self.pieces.append(self.blobs.put(piece))

    def close(self, fields: dict[str, str]) -> Upload:
        """The file, durable. Raises: NotAnImport."""
        self.flush(end=True)
        if self.form is None:
            raise NotAnImport("file", "is missing or empty", f"send {TAKEN} as `file`")
        digest = f"sha256:{self._digest.hexdigest()}"
        listed = list_pieces(self.blobs, self.pieces, self.size)
        return Upload(
            digest, listed, self.size, self.form, fields.get("patient", ""), fields.get("zone", ""), self.owner
        )

    def forget(self) -> None:
        """Remove what was stored of it, as far as the store lets us: what went wrong before is what is told."""
        if self.pieces:
            with suppress(Unavailable):
                self.store.erase(self.owner, FIRST)


async def receive(request: Request, blobs: BlobStore) -> Upload:
    """The file of a form, in the blob store. Raises: NotAForm, NotAnImport."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise NotAForm
    file = _File(blobs)
    form = _Form(options[b"boundary"], file)
    try:
        async for chunk in request.stream():
            form.write(chunk)
            if len(file.waiting) >= PIECE_BYTES:
                await run_in_threadpool(file.flush)
        return await run_in_threadpool(file.close, form.close())
    except BaseException:
        # Refused or broken off: nobody would ever ask for these bytes, and no erasure find them.
        file.forget()
        raise


class _Form:
    """Sorts the parts of a form: the file's bytes to the file, the others' into a dictionary."""

    def __init__(self, boundary: bytes, file: _File) -> None:
        self._file, self._fields, self._name = file, dict[str, bytes](), ""
        self._header, self._value, self._ended = b"", b"", False
        callbacks: dict[str, Any] = {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]  # a TypedDict of these

    def write(self, chunk: bytes) -> None:
        """Some more of the body. Raises: NotAnImport."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise NotAnImport("body", "is no form as its Content-Type says", "send multipart/form-data") from error

    def close(self) -> dict[str, str]:
        """All fields but the file. Raises: NotAnImport."""
        if not self._ended:
            raise NotAnImport("body", "breaks off", "send the form again")
        try:
            return {name: content.decode() for name, content in self._fields.items()}
        except UnicodeDecodeError as error:
            raise NotAnImport("body", "is not UTF-8", "send the fields in UTF-8") from error

    def _begin(self) -> None:
        self._name, self._header, self._value = "", b"", b""

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._value) > MAX_FIELD_BYTES:
            raise NotAnImport("body", f"has a header longer than {MAX_FIELD_BYTES} bytes", "send shorter names")

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            if self._name not in _FIELDS:
                raise NotAnImport("body", "has a field that is not known", "send file, patient and zone")
            if self._name in self._fields or (self._name == "file" and self._file.size + len(self._file.waiting)):
                raise NotAnImport(self._name, "comes twice", "send each field once")
        self._header, self._value = b"", b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self._file.waiting += data[start:end]
            return
        self._fields[self._name] = self._fields.get(self._name, b"") + data[start:end]
        if len(self._fields[self._name]) > MAX_FIELD_BYTES:
            raise NotAnImport(self._name or "body", f"is longer than {MAX_FIELD_BYTES} bytes", "send a short text")

    def _on_end(self) -> None:
        self._ended = True
