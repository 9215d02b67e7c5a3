"""Opens Apple Health's `export.zip` without trusting it: one member is read as a stream, within limits."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import IO

from services.vitals.imports.bounds import Damaged

MAX_DIRECTORY_BYTES = 16 * 2**20
"""Of the list of members: Python holds it whole. An export with ten thousand routes has two megabytes."""
MAX_RATIO = 250
"""An export of twelve million records shrinks to a twentieth; a bomb to a thousandth."""
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"


class NotAnExport(Exception):
    """Not a ZIP that can be taken."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Member:
    """One member of an archive as a stream. Raises: Damaged: the archive is not what it says."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """The next bytes, never more of them than the list of members says."""
        try:
            return self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise Damaged("is a damaged ZIP") from error


def open_export(source: IO[bytes], max_unpacked_bytes: int) -> Member:
    """The member that holds the records. Raises: NotAnExport."""
    _check_directory(source)
    try:
        archive = zipfile.ZipFile(source)
        found = [m for m in archive.infolist() if m.filename.endswith(".xml") and not m.filename.endswith("_cda.xml")]
        # Its name is translated into the phone's language; it is by far the largest.
        member = max(found, key=lambda m: m.file_size, default=None)
        if member is None:
            raise NotAnExport("is a ZIP without an export.xml")
        if member.file_size > max_unpacked_bytes or member.file_size > MAX_RATIO * (member.compress_size + 4096):
            raise NotAnExport("would unpack to more than this door takes")
        return Member(archive.open(member))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, UnicodeDecodeError, struct.error) as error:
        raise NotAnExport("is a damaged or encrypted ZIP") from error


def _check_directory(source: IO[bytes]) -> None:
    """Refuse a list of members that would fill the memory. Raises: NotAnExport."""
    size = source.seek(0, 2)
    source.seek(max(size - 2**16 - 128, 0))
    tail = source.read()
    at, at_64 = tail.rfind(_END), tail.rfind(_END_64)
    if at < 0 or len(tail) < at + 22:
        raise NotAnExport("is a ZIP that breaks off")
    listed = struct.unpack_from("<I", tail, at + 12)[0]
    if at_64 >= 0 and len(tail) >= at_64 + 56:
        listed = max(listed % 0xFFFFFFFF, struct.unpack_from("<Q", tail, at_64 + 40)[0])
    if listed > MAX_DIRECTORY_BYTES:
        raise NotAnExport("is a ZIP with too many members")
    source.seek(0)
