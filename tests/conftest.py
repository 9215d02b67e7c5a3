"""Fixtures for all tests. Servers are real; only time and chance are faked."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from services.imaging.dicom.decoder_process import Limits
from services.imaging.dicom.decoders import Decoders
from services.suite.servers import postgres
from shared import database
from tests.support.common import REFERENCE_DATA, TestBed, make_test_bed
from tests.support.schemas import copying

# As in a worker (ADR 0006): beside another test's process, threads that wait for each other spin, and a prediction of
# 0.4 seconds takes ten. Read when torch is first imported, here and in every process that a test starts.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")


# Machines are shared: how long an example takes to draw or to run says nothing of the code.
hypothesis_settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("shared")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have `--dist loadgroup` run what needs the same suite in one process, where it is started once."""
    for item in items:
        if item.get_closest_marker("e2e") is None:
            continue
        fixtures: tuple[str, ...] = getattr(item, "fixturenames", ())
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        topology = parameters.get("suite", "embedded" if "embedded_suite" in fixtures else None)
        item.add_marker(pytest.mark.xdist_group(topology or str(item.path)))


@pytest.fixture(scope="session", autouse=True)
def _copied_schemas() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_upgrade", copying(database._upgrade))
        yield


@pytest.fixture
def bed(tmp_path: Path) -> TestBed:
    """An issuer, secrets and settings in a directory of this test's own."""
    return make_test_bed(tmp_path)


@pytest.fixture(scope="session")
def decoders() -> Iterator[Decoders]:
    """The imaging service's decoders, for tests that need no service around them."""
    pool = Decoders(Limits(max_pixels=10**8), 2)
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The real data beside the checkout."""
    if not REFERENCE_DATA.is_dir():
        pytest.skip("the reference data is not beside this checkout (../shared/data)")
    return REFERENCE_DATA


@pytest.fixture(scope="session")
def hl7v2_examples(reference_data: Path) -> Path:
    """Messages of HL7 v2 as they are published, one a file."""
    directory = reference_data / "interop" / "hl7v2"
    if not directory.is_dir():
        pytest.skip("the HL7 v2 examples are not beside this checkout (../shared/data/interop/hl7v2)")
    return directory


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL for the whole run; gives the URL of one of its databases."""
    # Not below pytest's own root, which only the user who runs the tests may enter: run as root, the server runs as
    # an unprivileged user.
    with tempfile.TemporaryDirectory(prefix="consilium-pg-") as directory:
        Path(directory).chmod(0o755)
        with postgres(Path(directory) / "cluster") as url:
            yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database on that server."""
    import sqlalchemy as sa

    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    try:
        yield sa.engine.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        admin.dispose()
