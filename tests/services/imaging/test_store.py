"""The rows and the migration, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.imaging import review_queue, store
from services.imaging.domain import Region, Review, ReviewState
from services.imaging.store import Base, InstanceRow
from shared.database import create_engine, migrate, reading
from tests.services.imaging.conftest import Imaging, started
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


def test_descriptions_of_studies_stored_before_they_had_a_column_are_filled_in(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/older.db"
    upgrade_to(url, "0001")
    engine = create_engine(url)
    described = {"00081030": {"vr": "LO", "Value": ["Thorax p.a."]}}
    with engine.begin() as connection:
        for number, header in enumerate([described, {}, {"00081030": {"vr": "LO"}}, {"00181073": {"Value": [1]}}]):
            connection.execute(sa.insert(older_instance(connection)).values(older_row(number, json.dumps(header))))
    migrate(url, "imaging")
    with engine.connect() as connection:
        query = sa.select(InstanceRow.study_description).order_by(InstanceRow.id)
        assert list(connection.scalars(query)) == ["Thorax p.a.", None, None, None]
    engine.dispose()


def upgrade_to(url: str, revision: str) -> None:
    """Migrate as far as a revision: what an older installation has."""
    from alembic import command
    from alembic.config import Config

    from services.imaging import migrations

    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def older_instance(connection: sa.Connection) -> sa.Table:
    return sa.Table("instance", sa.MetaData(), autoload_with=connection)


def older_row(number: int, header: str) -> dict[str, Any]:
    columns = [column for column in InstanceRow.__table__.columns if column.name != "study_description"]
    row: dict[str, Any] = {column.name: "" for column in columns if isinstance(column.type, sa.String | sa.Text)}
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    numbers = {"rows": 1, "columns": 1, "size_bytes": 1, "effective_at": moment, "received_at": moment}
    return {**row, **numbers, "id": f"id-{number}", "sop_instance_uid": f"1.{number}", "header": header}


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
        assert service.stow(encoded(radiograph(PhotometricInterpretation="CMYK"))).status_code == 202
        outcomes = [event["outcome"] for event in service.events()]
        assert outcomes == ["success", "success", "success", "refused", "success"]
        assert_reviews_and_findings_are_kept(service)


def test_reviews_and_findings_are_kept(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph()))
    assert_reviews_and_findings_are_kept(imaging)


def assert_reviews_and_findings_are_kept(service: Imaging) -> None:
    sessions, id_, now = service.app.state.runtime.sessions, service.instances()[0].id, datetime.now(UTC)
    found = Review(id_, ReviewState.WAITING, "text-found", (Region(1, 2, 3, 4),))
    for review in (found, Review(id_, ReviewState.NOTHING_FOUND, "")):  # what was found first stays
        with sessions.begin() as session:
            review_queue.add(session, "default", review, now)
    with reading(sessions) as session:
        assert review_queue.find(session, "default", id_) == found
        assert review_queue.find(session, "another tenant", id_) is None
        assert [review for review, _ in review_queue.waiting(session, "default", 9)] == [found]
    with sessions.begin() as session:
        assert review_queue.decide(session, "another tenant", id_, ReviewState.CLEARED, (), now) is None
        decided = review_queue.decide(session, "default", id_, ReviewState.CLEARED, (), now)
        store.keep_quality(session, id_, 1, [{"name": "blank"}])
        store.keep_quality(session, id_, 2, [])
    with reading(sessions) as session:
        assert review_queue.find(session, "default", id_) == decided == Review(id_, ReviewState.CLEARED, "text-found")
        assert review_queue.waiting(session, "default", 9) == []
        assert store.find_quality(session, id_, 1) is None
        assert store.find_quality(session, id_, 2) == []


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
