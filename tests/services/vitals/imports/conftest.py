"""Reference data for imports."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def vitals_data(reference_data: Path) -> Path:
    """Real files of wearables and monitors."""
    directory = reference_data / "vitals"
    if not directory.is_dir():
        pytest.skip("the real vitals are not beside this checkout (../shared/data/vitals)")
    return directory


@pytest.fixture(scope="module")
def interop_data(reference_data: Path) -> Path:
    """Examples of the standards, and synthetic patients."""
    directory = reference_data / "interop"
    if not directory.is_dir():
        pytest.skip("the examples of FHIR are not beside this checkout (../shared/data/interop)")
    return directory
