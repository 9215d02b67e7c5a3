"""An erasure and imported files: those that name the patient, those that name nobody, and those from before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.vitals.app import create_app
from services.vitals.erasing import ERASER
from services.vitals.imports import usecases
from services.vitals.imports.store import ImportRow
from services.vitals.imports.usecases import Work
from services.vitals.settings import Settings
from services.vitals.store import SampleRow
from shared.contracts.erasure import ErasureOrder
from shared.erasure import carry_out
from shared.ids import uuid7
from shared.web import Runtime
from tests.services.ehr.fhir.test_observations import heart_rate
from tests.services.vitals.imports.importing import import_file, send_file
from tests.support.common import TestBed
from tests.support.diagnosis_house import eventually
from tests.support.files import files_below


def records(*patients: str) -> bytes:
    """A file that names these patients in its records."""
    named = [{**heart_rate(), "subject": {"identifier": {"value": patient}}} for patient in patients]
    return "\n".join(map(json.dumps, named)).encode()


def erase(runtime: Runtime, patient: str) -> dict[str, int]:
    subject = runtime.events.pseudonyms.patient(runtime.common.tenant, patient)
    return carry_out(runtime, ERASER, ErasureOrder(id=uuid7(), subject_ref=subject, patient=patient)).stores


def patients(runtime: Runtime) -> set[str]:
    with runtime.sessions() as session:
        return set(session.scalars(sa.select(SampleRow.patient)))


def pieces(bed: TestBed) -> list[Path]:
    return [path for path in files_below(bed.directory / "blobs") if path.suffix != ".closed"]


@pytest.fixture
def app(bed: TestBed, database: str) -> Any:
    return create_app(Settings(database_url=database), bed.common)


@pytest.fixture
def client(app: Any, bed: TestBed) -> Iterator[TestClient]:
    """The service with its worker at work."""
    with TestClient(app, headers=bed.headers()) as running:
        yield running


def test_a_file_of_records_is_kept_no_longer_than_it_is_worked_on(client: TestClient, bed: TestBed) -> None:
    import_file(client, records("P-1", "P-2"))
    eventually(lambda: pieces(bed) == [], what="the removal")
    import_file(client, records("P-1"), patient="P-1")
    assert len(pieces(bed)) == 2


def test_a_refused_file_is_not_kept(client: TestClient, bed: TestBed) -> None:
    assert send_file(client, records("P-1"), patient=" P-1").status_code == 422
    assert pieces(bed) == []


def test_an_import_that_runs_brings_nothing_of_a_patient_erased_meanwhile(app: Any, bed: TestBed) -> None:
    runtime: Runtime = app.state.runtime
    http = TestClient(app, headers=bed.headers())  # not entered: the worker does not run by itself
    assert send_file(http, records("P-1", "P-2")).status_code == 202
    erase(runtime, "P-1")
    work = Work(runtime, app.state.settings, lambda: False)
    held = usecases.claim_next(work)
    assert held is not None
    usecases.run(work, held)
    assert patients(runtime) == {"P-2"}
    with runtime.sessions() as session:
        row = session.scalars(sa.select(ImportRow)).one()
    assert (row.state, row.read, row.accepted, row.ignored) == ("succeeded", 2, 1, 1)
    assert pieces(bed) == []


def test_what_is_sent_after_an_erasure_is_taken(client: TestClient, app: Any) -> None:
    file = records("P-1")
    import_file(client, file, patient="P-1")
    assert erase(app.state.runtime, "P-1")["import_job"] == 1
    assert import_file(client, file, patient="P-1")["counts"]["accepted"] == 1


def test_a_file_from_before_there_were_scopes_goes_and_that_of_another_patient_stays(
    client: TestClient, app: Any, bed: TestBed
) -> None:
    """The same file for two patients: its pieces were the same blobs."""
    runtime: Runtime = app.state.runtime
    file = json.dumps(heart_rate() | {"subject": {}}).encode()
    for patient in ("P-1", "P-2"):
        import_file(client, file, patient=patient)
    _as_before(runtime, file)
    erase(runtime, "P-1")
    assert len(pieces(bed)) == 2
    erase(runtime, "P-2")
    assert pieces(bed) == []


def _as_before(runtime: Runtime, file: bytes) -> None:
    from services.vitals.imports.pieces import list_pieces

    listed = list_pieces(runtime.blobs, [runtime.blobs.put(file)], len(file))
    with runtime.sessions.begin() as session:
        for row in session.scalars(sa.select(ImportRow)):
            runtime.blobs.erase(str(row.owner), "first")
            row.owner, row.pieces = None, listed
