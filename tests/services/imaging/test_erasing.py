"""What an erasure takes of the images, what it leaves, and who is at the door meanwhile."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from services.imaging import store
from services.imaging.erasing import ERASER
from services.imaging.store import CommitmentRow, InstanceRow, OwnerRow
from services.imaging.usecases import ingest
from shared.auth import Principal, Role
from shared.clock import utc_now
from shared.contracts.erasure import ErasureOrder
from shared.digests import digest_bytes
from shared.erasure import ErasedMeanwhile, carry_out
from shared.errors import NotFound
from shared.ids import uuid7
from shared.web import Runtime
from tests.services.imaging.conftest import Imaging
from tests.services.imaging.radiographs import encoded, radiograph

VISIT = ingest.Visit(Principal("i", "s", Role.EHR_SYSTEM, "default", None, "j"), "stow-rs")


def order(runtime: Runtime, patient: str, *, named: bool = True) -> ErasureOrder:
    subject = runtime.events.pseudonyms.patient(runtime.common.tenant, patient)
    return ErasureOrder(id=uuid7(), subject_ref=subject, patient=patient if named else None)


def erase(imaging: Imaging, patient: str, *, named: bool = True) -> dict[str, int]:
    runtime = imaging.app.state.runtime
    return carry_out(runtime, ERASER, order(runtime, patient, named=named)).stores


def held(imaging: Imaging) -> set[str]:
    return {row.patient for row in imaging.instances()}


@pytest.mark.parametrize("named", [True, False], ids=["by identifier", "by pseudonym"])
def test_the_patient_goes_and_another_stays(imaging: Imaging, named: bool) -> None:
    imaging.stow(encoded(radiograph()), encoded(radiograph(PatientID="P-2")))
    assert erase(imaging, "P-1", named=named) == {"instance": 1, "owner": 2, "blobs": 1}
    assert held(imaging) == {"P-2"}
    with imaging.app.state.runtime.sessions() as session:
        assert set(session.scalars(sa.select(OwnerRow.patient))) == {"P-2"}


def test_an_instance_that_was_examined_before_and_filed_after_is_refused_and_taken_the_next_time(
    imaging: Imaging,
) -> None:
    runtime, file = imaging.app.state.runtime, encoded(radiograph())
    examined = ingest.examine(runtime, file, imaging.app.state.decoders, VISIT)
    erase(imaging, "P-1")
    with pytest.raises(ErasedMeanwhile), runtime.sessions.begin() as session:
        ingest.file_instances(session, runtime, [examined], VISIT)
    assert held(imaging) == set()
    assert imaging.stow(file).status_code == 200
    (row,) = imaging.instances()
    assert imaging.content(row) == file


def test_requests_for_commitment_forget_the_instances(imaging: Imaging) -> None:
    mine, other = radiograph(), radiograph(PatientID="P-2")
    imaging.stow(encoded(mine), encoded(other))
    uids = [(str(ds.SOPClassUID), str(ds.SOPInstanceUID)) for ds in (mine, other)]
    with imaging.app.state.runtime.sessions.begin() as session:
        for number, asked in enumerate((uids, uids[:1])):
            session.add(
                CommitmentRow(
                    id=uuid7(), tenant="default", ae_title="A", transaction_uid=f"2.25.{number}",
                    instances=json.dumps(asked), requested_at=utc_now(), attempts=0,
                )
            )  # fmt: skip
    assert erase(imaging, "P-1")["commitment"] == 2
    with imaging.app.state.runtime.sessions() as session:
        assert [json.loads(row.instances) for row in session.scalars(sa.select(CommitmentRow))] == [[list(uids[1])]]


def test_blobs_from_before_there_were_scopes_go_unless_another_patient_s_instance_names_them(imaging: Imaging) -> None:
    """Two films that are rendered alike had one rendering."""
    imaging.stow(encoded(radiograph()), encoded(radiograph(PatientID="P-2")))
    runtime = imaging.app.state.runtime
    shared = runtime.blobs.put(b"one rendering for both")
    files = {row.patient: imaging.content(row) for row in imaging.instances()}
    for file in files.values():
        runtime.blobs.put(file)
    with runtime.sessions.begin() as session:
        session.execute(sa.update(InstanceRow).values(rendered_digest=shared))
    assert erase(imaging, "P-1")["blobs"] == 2
    with pytest.raises(NotFound):
        runtime.blobs.get(digest_bytes(files["P-1"]))
    assert runtime.blobs.get(digest_bytes(files["P-2"])) == files["P-2"]
    assert runtime.blobs.get(shared) == b"one rendering for both"
    assert erase(imaging, "P-2")["blobs"] == 3


def test_a_quality_finding_that_comes_too_late_is_not_kept(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph()))
    (row,) = imaging.instances()
    erase(imaging, "P-1")
    with imaging.app.state.runtime.sessions.begin() as session:
        store.keep_rendering(session, row.id, "sha256:" + "0" * 64)
        store.keep_quality(session, row.id, 1, [])
    with imaging.app.state.runtime.sessions() as session:
        assert session.scalars(sa.select(store.QualityRow)).all() == []
