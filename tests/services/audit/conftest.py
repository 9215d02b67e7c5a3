"""A running audit service on a real SQLite file, and what tests say to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.services.audit.support import Audit, open_audit
from tests.support.common import TestBed


@pytest.fixture
def audit(bed: TestBed) -> Iterator[Audit]:
    """The service, started."""
    with open_audit(bed) as running:
        yield running


@pytest.fixture
def client(audit: Audit) -> TestClient:
    """Its HTTP client."""
    return audit.client
