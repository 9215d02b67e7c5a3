"""An imaging service of its own for each test: migrated database, blob store, web part and DICOM listener."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.imaging.app import create_app
from services.imaging.settings import Settings
from services.imaging.store import InstanceRow, OutboxRow
from services.imaging.usecases import reads
from shared.auth import Role
from shared.database import migrate
from tests.services.imaging.radiographs import multipart
from tests.support.common import TestBed


@dataclass
class Imaging:
    """A running imaging service and what it wrote."""

    app: FastAPI
    client: TestClient
    bed: TestBed

    @property
    def dimse_port(self) -> int:
        """Where its DICOM listener is."""
        port: int = self.app.state.dimse_port
        return port

    def headers(self, role: Role, more: dict[str, str]) -> dict[str, str]:
        """An Authorization header and others; `_` in a name stands for `-`."""
        return {**self.bed.headers(role), **{name.replace("_", "-"): value for name, value in more.items()}}

    def stow(self, *files: bytes, study: str = "", role: Role = Role.EHR_SYSTEM, **more: str) -> Any:
        """Send DICOM files in one store transaction."""
        body, content_type = multipart(*files)
        url = "/dicomweb/studies" + (f"/{study}" if study else "")
        return self.client.post(url, content=body, headers={**self.headers(role, more), **content_type})

    def get(self, url: str, role: Role = Role.CLINICIAN, **more: str) -> Any:
        """Read something under /dicomweb."""
        return self.client.get(f"/dicomweb{url}", headers=self.headers(role, more))

    def content(self, row: InstanceRow, digest: str | None = None) -> bytes:
        """The stored bytes of an instance, or what is stored of it under another digest."""
        return reads.blobs_of(self.app.state.runtime, row).get(digest or row.digest)

    def read_by(self, read: Callable[[Callable[[str], bytes], str], bytes]) -> None:
        """From now on every blob is read as `read(get, digest)` says."""
        store = self.app.state.runtime.blobs
        of = type(store).of

        def _of(*names: str) -> Any:
            scoped = of(store, *names)
            get = scoped.get
            scoped.get = lambda digest: read(get, digest)
            return scoped

        store.of = _of

    def instances(self) -> list[InstanceRow]:
        """All rows."""
        with self.app.state.runtime.sessions() as session:
            return list(session.scalars(sa.select(InstanceRow).order_by(InstanceRow.received_at)))

    def events(self) -> list[dict[str, Any]]:
        """All audit events, in order."""
        with self.app.state.runtime.sessions() as session:
            return [json.loads(body) for body in session.scalars(sa.select(OutboxRow.body).order_by(OutboxRow.seq))]


@contextmanager
def started(bed: TestBed, database_url: str, **settings: Any) -> Iterator[Imaging]:
    """Run an imaging service on a migrated database; its DICOM listener is on any free port.

    Its decoders start when a test sends something compressed: most do not. Associations are served in this process.
    """
    defaults = {"dimse_port": 0, "dimse_processes": 0, "decoders_started_ahead": False}
    app = create_app(Settings(database_url=database_url, **{**defaults, **settings}), bed.common)
    with TestClient(app) as client:
        yield Imaging(app, client, bed)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database that the migrations built, to be copied."""
    path = tmp_path_factory.mktemp("imaging") / "migrated.db"
    migrate(f"sqlite:///{path}", "imaging")
    return path


@pytest.fixture
def database_url(bed: TestBed, migrated: Path) -> str:
    """A migrated SQLite database of this test's own."""
    shutil.copy(migrated, bed.directory / "imaging.db")
    return bed.sqlite("imaging")


@pytest.fixture
def imaging(bed: TestBed, database_url: str) -> Iterator[Imaging]:
    """An imaging service on SQLite."""
    with started(bed, database_url) as service:
        yield service


@pytest.fixture
def postgres_imaging_url(postgres_url: str) -> str:
    """The imaging schema of a real PostgreSQL, migrated."""
    url = sa.engine.make_url(postgres_url).update_query_dict({"options": "-csearch_path=imaging"})
    text = url.render_as_string(hide_password=False)
    migrate(text, "imaging")
    return text


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pydicom warns of defects that it tolerates; the service silences that, and pytest would turn it on again."""
    for item in items:
        if "services/imaging" in str(item.path):
            item.add_marker(pytest.mark.filterwarnings("ignore::UserWarning:pydicom"))
            item.add_marker(pytest.mark.filterwarnings("ignore::UserWarning:pydicom.filereader"))
