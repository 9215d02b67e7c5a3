"""The manifest: which files a bundle consists of and what each must hash to. Its digest is the bundle's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.diagnosis.bundle.errors import BundleMissing, BundleTampered, BundleUnreadable
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.layout import MANIFEST, SIGNATURE, FileEntry, check_kinds, read_entries
from shared.digests import canonical_json, digest_json

SCHEMA = "consilium-bundle/2"
_FIELDS = {"name": str, "version": str, "files": dict}
OUTSIDE = frozenset({MANIFEST, SIGNATURE})
"""Not named by the manifest: itself, and signatures, which may be added later without making it another bundle."""


def write_manifest(directory: Path, *, name: str, version: str) -> BundleIdentity:
    """Digest every file of the directory and write the manifest beside them."""
    files = {path: entry.to_json() for path, entry in read_entries(directory).items() if path not in OUTSIDE}
    manifest = {"schema": SCHEMA, "name": name, "version": version, "files": files}
    (directory / MANIFEST).write_bytes(canonical_json(manifest) + b"\n")
    return BundleIdentity(name, version, digest_json(manifest))


def verify_manifest(directory: Path) -> BundleIdentity:
    """The identity of a bundle whose files are exactly what its manifest says. Says nothing of who made it.

    Raises:
        BundleMissing: no manifest there.
        BundleUnreadable: the manifest is of another schema, or there is a kind of file that a bundle may not hold.
        BundleTampered: a file is changed, missing or not named.
    """
    return check_manifest(directory, read_entries(directory))


def check_manifest(directory: Path, entries: Mapping[str, FileEntry]) -> BundleIdentity:
    """The same for files that are digested already."""
    manifest = read_manifest(directory)
    named = manifest["files"]
    there = set(entries) - OUTSIDE
    if there != set(named):
        raise BundleTampered(f"The bundle's files differ from its manifest: {', '.join(sorted(there ^ set(named)))}.")
    for path, entry in named.items():
        if entries[path].to_json() != entry:
            raise BundleTampered(f"{path} does not have the digest that the manifest gives it.")
    check_kinds(directory, entries)
    return BundleIdentity(manifest["name"], manifest["version"], digest_json(manifest))


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest as it stands there, unchecked.

    Raises: BundleMissing, BundleTampered (no JSON), BundleUnreadable (another schema).
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise BundleMissing(f"There is no model bundle in {directory.name!r}: {MANIFEST} is missing.") from error
    except ValueError as error:
        raise BundleTampered(f"{MANIFEST} is not JSON.") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise BundleUnreadable(f"{MANIFEST} is not of schema {SCHEMA}: train the bundle again with this version.")
    if not all(isinstance(manifest.get(key), kind) for key, kind in _FIELDS.items()):
        raise BundleUnreadable(f"{MANIFEST} lacks one of {', '.join(_FIELDS)}.")
    return manifest
