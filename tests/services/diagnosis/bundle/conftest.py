"""Keys and bundles for these tests; nothing of the user's own configuration is read or written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from services.diagnosis.bundle.keys import PublicKey, make_key_pair, read_private_key
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.manifest import write_manifest


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the demo bundle."""
    return Path(shutil.copytree(DEMO_BUNDLE, tmp_path / "bundle"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The smallest thing with a manifest, unsigned."""
    (tmp_path / "small" / "configs").mkdir(parents=True)
    (tmp_path / "small" / "configs" / "a.json").write_text("{}")
    (tmp_path / "small" / "notes.md").write_text("# A\n")
    write_manifest(tmp_path / "small", name="small", version="1")
    return tmp_path / "small"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[EllipticCurvePrivateKey, PublicKey]:
    """A key of this test's own; its files are `key.pem` and `key.pub.pem`."""
    public = make_key_pair(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    return read_private_key(tmp_path / "key.pem"), public
