"""What tests with broken connections need."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
from pynetdicom.association import Association


@pytest.fixture
def broken_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Collect what pynetdicom leaves of broken connections: it closes their sockets by the garbage collector alone.

    Use it with `ignore::pytest.PytestUnraisableExceptionWarning`; later tests would be blamed otherwise.
    """
    monkeypatch.setattr("services.imaging.dimse.server.ASSOCIATE_S", 1.0)
    yield
    for thread in threading.enumerate():
        if isinstance(thread, Association):
            thread.join(5)
    gc.collect()
