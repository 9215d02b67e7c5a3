from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from services.diagnosis.bundle.errors import BundleMissing, BundleTampered, BundleUnreadable
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.manifest import verify_manifest, write_manifest
from services.diagnosis.training.recipe import RECIPES


def test_the_shipped_bundle_is_what_its_manifest_says() -> None:
    identity = verify_manifest(DEMO_BUNDLE)
    assert (identity.name, identity.version) == (RECIPES["demo"].bundle, RECIPES["demo"].version)


def test_a_copy_has_the_same_digest(bundle: Path) -> None:
    assert verify_manifest(bundle).digest == verify_manifest(DEMO_BUNDLE).digest


def test_one_flipped_bit_is_noticed(bundle: Path) -> None:
    weights = bundle / "models" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleTampered, match=r"models/weights\.safetensors"):
        verify_manifest(bundle)


def test_a_missing_file_is_noticed(bundle: Path) -> None:
    (bundle / "configs" / "decisions.json").unlink()
    with pytest.raises(BundleTampered, match=r"configs/decisions\.json"):
        verify_manifest(bundle)


@pytest.mark.parametrize("place", ["extra.json", "models/extra.json", "models/deeper/extra.json", ".git/extra.json"])
def test_a_file_nobody_named_is_noticed_at_any_depth(bundle: Path, place: str) -> None:
    (bundle / place).parent.mkdir(parents=True, exist_ok=True)
    (bundle / place).write_text("{}")
    with pytest.raises(BundleTampered, match=r"extra\.json"):
        verify_manifest(bundle)


def test_a_changed_manifest_is_another_bundle(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["version"] = "9.9.9"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert verify_manifest(bundle).digest != verify_manifest(DEMO_BUNDLE).digest


def test_a_signature_does_not_change_the_digest(bundle: Path) -> None:
    (bundle / "model.sig").unlink()
    assert verify_manifest(bundle).digest == verify_manifest(DEMO_BUNDLE).digest


def test_no_bundle_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BundleMissing):
        verify_manifest(tmp_path)
    with pytest.raises(BundleMissing):
        verify_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize("manifest", ["[]", '{"schema": "consilium-bundle/1"}', '{"schema": "consilium-bundle/2"}'])
def test_a_manifest_of_another_schema_is_unreadable(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(BundleUnreadable):
        verify_manifest(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.pt", b"\x80\x04."),
        ("run.py", b"print()"),
        ("weights.safetensors", b"\x80\x04\x95\x00\x00\x00\x00\x00\x00."),
        ("weights.safetensors", b"PK\x03\x04\x00\x00\x00\x00\x00\x00"),
        ("config.json", b"\x80\x04."),
        ("notes.md", b"\x80\x04\x00."),
    ],
)
def test_what_is_no_data_is_refused_by_name_or_by_content(small: Path, name: str, content: bytes) -> None:
    (small / name).write_bytes(content)
    write_manifest(small, name="x", version="1")
    with pytest.raises(BundleUnreadable, match=name):
        verify_manifest(small)


def test_a_link_out_of_the_bundle_is_refused(small: Path) -> None:
    os.symlink("/etc", small / "models")
    with pytest.raises(BundleUnreadable, match="models"):
        verify_manifest(small)


def test_the_digest_is_that_of_the_canonical_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    identity = write_manifest(tmp_path, name="n", version="1")
    # SHA-256 of `{}` is 44136fa3…; the manifest's own digest comes from `sha256sum` of its canonical JSON.
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["files"]["a.json"]["digest"].startswith("sha256:44136fa355b3678a1146ad16f7e8649e")
    assert verify_manifest(tmp_path) == identity
