"""A patient without any finding, to which tests add the one they are about."""

from __future__ import annotations

import pytest

from services.diagnosis.ward.tables import WARD


@pytest.fixture(scope="session")
def normal() -> dict[str, str]:
    """Every finding at its normal value."""
    return {finding.name: finding.values[0] for finding in WARD.findings}
