"""What lies where in a bundle: the folders of a MONAI Bundle, and the only kinds of file that may be in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.diagnosis.bundle.errors import BundleMissing, BundleUnreadable

MANIFEST = "manifest.json"
SIGNATURE = "model.sig"
LICENCE = "LICENSE"
METADATA = "configs/metadata.json"
MODEL_CONFIG = "configs/model.json"
PREPROCESSING = "configs/preprocessing.json"
DECISIONS = "configs/decisions.json"
REFERENCE = "configs/reference.json"
TRAINING = "configs/training.json"
TOKENIZER = "models/tokenizer.json"
WEIGHTS = "models/weights.safetensors"
STATISTICS = "models/statistics.safetensors"
CARD = "docs/model-card.json"
CARD_TEXT = "docs/README.md"

SUFFIXES = frozenset({".json", ".md", ".safetensors"})
NAMES = frozenset({LICENCE, SIGNATURE})
"""A bundle holds data alone; nothing that runs on being opened."""
_HEADER = 9
"""A safetensors file: eight bytes of header length, then the `{` of its JSON header."""


@dataclass(frozen=True)
class FileEntry:
    """What a file's bytes are."""

    digest: str
    """`sha256:<hex>`."""
    size: int

    def to_json(self) -> dict[str, str | int]:
        return {"digest": self.digest, "size": self.size}


def read_entries(directory: Path) -> dict[str, FileEntry]:
    """Every file below the directory by its path with `/`, in order.

    Raises:
        BundleMissing: there is no such directory.
        BundleUnreadable: something that is neither a plain file nor a folder, such as a symbolic link.
    """
    if not directory.is_dir():
        raise BundleMissing(f"There is no model bundle in {directory.name!r}: no such directory.")
    entries: dict[str, FileEntry] = {}
    for folder, folders, names in os.walk(directory):
        for name in (*folders, *names):
            path = Path(folder, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise BundleUnreadable(f"A bundle holds plain files only, and {name} is none.")
        for name in names:
            path = Path(folder, name)
            entries[path.relative_to(directory).as_posix()] = _entry(path)
    return dict(sorted(entries.items()))


def check_kinds(directory: Path, entries: Mapping[str, FileEntry]) -> None:
    """Every file is of a kind that a bundle may hold, by its name and by how it begins.

    Raises: BundleUnreadable.
    """
    for name in entries:
        if name not in NAMES and Path(name).suffix not in SUFFIXES:
            raise BundleUnreadable(f"A bundle holds safetensors, JSON and Markdown only, not {name}.")
        if not _begins_as_named(directory / name):
            raise BundleUnreadable(f"{name} does not begin as a file of its name does.")


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(f"sha256:{digest}", path.stat().st_size)


def _begins_as_named(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(512)
    if path.suffix == ".safetensors":
        length = int.from_bytes(start[: _HEADER - 1], "little")
        return len(start) >= _HEADER and start[_HEADER - 1 : _HEADER] == b"{" and length <= path.stat().st_size
    if path.suffix in {".json", ".sig"}:
        return start.lstrip()[:1] in (b"{", b"[")
    return b"\x00" not in start
