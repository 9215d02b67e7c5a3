from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from services.diagnosis.bundle.errors import BundleMissing, BundleTampered, BundleUnreadable
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.manifest import verify_manifest, write_manifest
from services.diagnosis.training.recipe import RECIPES


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO_BUNDLE, tmp_path / "bundle"))


def test_the_shipped_bundle_is_what_its_manifest_says() -> None:
    identity = verify_manifest(DEMO_BUNDLE)
    assert (identity.name, identity.version) == (RECIPES["demo"].bundle, RECIPES["demo"].version)


def test_a_copy_has_the_same_digest(bundle: Path) -> None:
    assert verify_manifest(bundle).digest == verify_manifest(DEMO_BUNDLE).digest


def test_one_flipped_bit_is_noticed(bundle: Path) -> None:
    weights = bundle / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleTampered, match=r"weights\.safetensors"):
        verify_manifest(bundle)


def test_a_missing_file_is_noticed(bundle: Path) -> None:
    (bundle / "decisions.json").unlink()
    with pytest.raises(BundleTampered, match=r"decisions\.json"):
        verify_manifest(bundle)


def test_a_file_nobody_named_is_noticed(bundle: Path) -> None:
    (bundle / "extra.json").write_text("{}")
    with pytest.raises(BundleTampered, match=r"extra\.json"):
        verify_manifest(bundle)


def test_a_changed_manifest_is_another_bundle(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["version"] = "9.9.9"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert verify_manifest(bundle).digest != verify_manifest(DEMO_BUNDLE).digest


def test_no_bundle_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BundleMissing):
        verify_manifest(tmp_path)


def test_a_pickle_is_refused_whatever_its_digest(bundle: Path) -> None:
    (bundle / "weights.pt").write_bytes(b"\x80\x04.")
    write_manifest(bundle, name="x", version="1")
    with pytest.raises(BundleUnreadable, match=r"weights\.pt"):
        verify_manifest(bundle)


def test_the_digest_is_that_of_the_canonical_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    identity = write_manifest(tmp_path, name="n", version="1")
    # SHA-256 of `{}` is 44136fa3…; the manifest's own digest comes from `sha256sum` of its canonical JSON.
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["files"]["a.json"]["digest"].startswith("sha256:44136fa355b3678a1146ad16f7e8649e")
    assert verify_manifest(tmp_path) == identity
