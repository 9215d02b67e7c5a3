"""The rows and the migration, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.imaging.store import Base
from shared.database import create_engine, migrate
from tests.services.imaging.conftest import started
from tests.services.imaging.radiographs import encoded, gradient, radiograph
from tests.support.common import TestBed


def test_the_migration_builds_what_the_rows_declare(migrated: Path) -> None:
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(migrated: Path) -> None:
    migrate(f"sqlite:///{migrated}", "imaging")


@pytest.mark.postgres
def test_all_doors_work_on_postgresql(bed: TestBed, postgres_imaging_url: str) -> None:
    ds = radiograph()
    with started(bed, postgres_imaging_url, dimse_enabled=False) as service:
        assert service.stow(encoded(ds)).status_code == 200
        assert service.stow(encoded(ds)).status_code == 200
        assert len(service.instances()) == 1
        assert service.get("/studies?PatientName=doe*").status_code == 200
        assert service.get(f"/studies/{ds.StudyInstanceUID}").status_code == 200
        ds.PixelData = gradient()[::-1].tobytes()
        assert service.stow(encoded(ds)).status_code == 409
        assert [event["outcome"] for event in service.events()] == ["success", "success", "success", "refused"]


@pytest.mark.postgres
def test_parallel_senders_on_postgresql_store_each_instance_once(bed: TestBed, postgres_imaging_url: str) -> None:
    study = radiograph().StudyInstanceUID
    files = [encoded(radiograph(StudyInstanceUID=study)) for _ in range(4)]
    with started(bed, postgres_imaging_url, dimse_enabled=False) as service, ThreadPoolExecutor(6) as pool:
        orders = [files, files[::-1]] * 4
        statuses = list(pool.map(lambda order: service.stow(*order).status_code, orders))
        assert set(statuses) == {200}
        assert len(service.instances()) == 4
        assert len(service.events()) == 4


@pytest.mark.postgres
def test_two_patients_racing_for_one_study_leave_one_owner(bed: TestBed, postgres_imaging_url: str) -> None:
    study = radiograph().StudyInstanceUID
    files = [encoded(radiograph(StudyInstanceUID=study, PatientID=f"P-{number}")) for number in range(6)]
    with started(bed, postgres_imaging_url, dimse_enabled=False) as service, ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda file: service.stow(file).status_code, files))
        assert statuses == [200, 409, 409, 409, 409, 409]
        assert len({row.patient for row in service.instances()}) == 1
