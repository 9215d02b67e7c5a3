"""The manifest: which files a bundle consists of and what each must hash to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.diagnosis.bundle.errors import BundleMissing, BundleTampered, BundleUnreadable
from services.diagnosis.bundle.identity import BundleIdentity
from shared.digests import canonical_json, digest_bytes, digest_json

MANIFEST = "manifest.json"
SCHEMA = "consilium-bundle/1"
SUFFIXES = frozenset({".json", ".md", ".safetensors"})
"""A bundle holds data alone; nothing that runs on being opened."""


def write_manifest(directory: Path, *, name: str, version: str) -> BundleIdentity:
    """Digest every file of the directory and write the manifest beside them."""
    files = {path.name: _entry(path) for path in sorted(directory.iterdir()) if path.name != MANIFEST}
    manifest = {"schema": SCHEMA, "name": name, "version": version, "files": files}
    (directory / MANIFEST).write_bytes(canonical_json(manifest) + b"\n")
    return BundleIdentity(name, version, digest_json(manifest))


def verify_manifest(directory: Path) -> BundleIdentity:
    """The identity of a bundle whose files are exactly what its manifest says.

    Raises:
        BundleMissing: no manifest there.
        BundleUnreadable: the manifest is of another schema or names a file type that a bundle may not hold.
        BundleTampered: a file is changed, missing or not named.
    """
    manifest = _read(directory)
    named = manifest["files"]
    there = {path.name for path in directory.iterdir()} - {MANIFEST}
    if there != set(named):
        raise BundleTampered(f"The bundle's files differ from its manifest: {', '.join(sorted(there ^ set(named)))}.")
    for name, entry in named.items():
        if Path(name).suffix not in SUFFIXES:
            raise BundleUnreadable(f"A bundle holds safetensors, JSON and Markdown only, not {name}.")
        if _entry(directory / name) != entry:
            raise BundleTampered(f"{name} does not have the digest that the manifest gives it.")
    return BundleIdentity(manifest["name"], manifest["version"], digest_json(manifest))


def _read(directory: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((directory / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise BundleMissing(f"There is no model bundle in {directory.name!r}: {MANIFEST} is missing.") from error
    except ValueError as error:
        raise BundleTampered(f"{MANIFEST} is not JSON.") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise BundleUnreadable(f"{MANIFEST} is not of schema {SCHEMA}.")
    return manifest


def _entry(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"digest": digest_bytes(content), "size": len(content)}
