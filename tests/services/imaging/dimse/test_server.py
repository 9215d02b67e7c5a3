"""C-ECHO and C-STORE over real associations: pynetdicom's SCU, and dcmtk's storescu where it is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from services.imaging.app import create_app
from services.imaging.dicom.syntaxes import SOP_CLASSES, TRANSFER_SYNTAXES
from services.imaging.dimse.server import ASSOCIATE_S
from services.imaging.dimse.unasked import LenientStateMachine
from services.imaging.settings import Settings
from shared.errors import Unavailable
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.dimse.associations import SUCCESS, VERIFICATION, association, parsed, send
from tests.services.imaging.radiographs import DX_PRESENTATION, NATIVE, REPORT, encoded, gradient, radiograph
from tests.support.common import TestBed
from tests.support.suite import until

OUT_OF_RESOURCES, PROCESSING_FAILURE = 0xA700, 0x0110


def test_an_echo_is_answered(imaging: Imaging) -> None:
    with association(imaging, VERIFICATION) as assoc:
        assert assoc.send_c_echo().Status == SUCCESS


@pytest.mark.parametrize("sop_class_uid", SOP_CLASSES)
def test_a_radiograph_is_negotiated_in_all_syntaxes(imaging: Imaging, sop_class_uid: str) -> None:
    ae = AE()
    ae.requested_contexts = [build_context(sop_class_uid, syntax) for syntax in TRANSFER_SYNTAXES]
    assoc = ae.associate("127.0.0.1", imaging.dimse_port)
    accepted = [context.transfer_syntax[0] for context in assoc.accepted_contexts]
    assoc.release()
    assert accepted == list(TRANSFER_SYNTAXES)


def test_other_objects_are_not_negotiated(imaging: Imaging) -> None:
    with association(imaging, REPORT) as assoc:
        assert not assoc.is_established


@pytest.mark.parametrize("syntax", NATIVE)
def test_a_radiograph_is_stored(imaging: Imaging, syntax: UID) -> None:
    assert send(imaging, parsed(radiograph(), syntax), syntax=syntax) == [SUCCESS]
    (row,) = imaging.instances()
    assert row.transfer_syntax_uid == syntax


def test_the_data_set_is_stored_as_it_came_over_the_wire(imaging: Imaging) -> None:
    sent = encoded(radiograph())
    send(imaging, pydicom.dcmread(BytesIO(sent)))
    (row,) = imaging.instances()
    kept = imaging.content(row)
    assert kept[128:132] == b"DICM"
    assert kept.endswith(sent[-2000:])


def test_the_same_instance_by_both_doors_is_stored_once(imaging: Imaging) -> None:
    file = encoded(radiograph())
    assert imaging.stow(file).status_code == 200
    assert send(imaging, pydicom.dcmread(BytesIO(file))) == [SUCCESS]
    assert len(imaging.instances()) == 1
    assert len(imaging.events()) == 1


def test_other_content_under_the_same_uids_is_refused(imaging: Imaging) -> None:
    ds = radiograph()
    first = parsed(ds)
    ds.PixelData = gradient()[::-1].tobytes()
    assert send(imaging, first, parsed(ds)) == [SUCCESS, 0x0111]
    assert len(imaging.instances()) == 1


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"PixelData": None}, 0xA900),
        ({"PatientID": ""}, 0xA900),
        ({"NumberOfFrames": 3}, 0xC000),
        ({"Rows": 99}, 0xC000),
    ],
    ids=["no pixel data", "no patient", "frames missing", "truncated pixel data"],
)
def test_a_refusal_has_its_status(imaging: Imaging, attributes: dict[str, Any], status: int) -> None:
    assert send(imaging, parsed(radiograph(**attributes))) == [status]
    assert imaging.instances() == []


def test_what_cannot_be_shown_is_stored_with_a_warning(imaging: Imaging) -> None:
    assert send(imaging, parsed(radiograph(PhotometricInterpretation="CMYK"))) == [0xB007]
    assert len(imaging.instances()) == 1


def test_an_association_goes_on_after_a_refusal(imaging: Imaging) -> None:
    assert send(imaging, parsed(radiograph(PatientID="")), parsed(radiograph())) == [0xA900, SUCCESS]


def test_a_study_of_another_patient_is_refused(imaging: Imaging) -> None:
    first = radiograph()
    second = radiograph(PatientID="P-2", StudyInstanceUID=first.StudyInstanceUID)
    assert send(imaging, parsed(first), parsed(second)) == [SUCCESS, 0xA901]


def dataset_bytes(ds: Dataset) -> BytesIO:
    """Explicit VR Little Endian without preamble and file meta information."""
    file = encoded(ds)
    # The group length (0002,0000) is the first element after the preamble and says where the group ends (PS3.10 7.1).
    return BytesIO(file[144 + int.from_bytes(file[140:144], "little") :])


def test_a_data_set_under_another_uid_than_announced_is_refused(imaging: Imaging) -> None:
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = UID(DX_PRESENTATION), UID("1.2.3.4")
    request.DataSet = dataset_bytes(radiograph())
    with association(imaging) as assoc:
        (context,) = assoc.accepted_contexts
        # Without this the association's own thread would take the answer.
        assoc._reactor_checkpoint.clear()
        assoc.dimse.send_msg(request, context.context_id)
        _, answer = assoc.dimse.get_msg(block=True)
        assoc._reactor_checkpoint.set()
    assert answer.Status == 0xA900
    assert imaging.instances() == []


def test_the_calling_ae_is_the_actor_of_the_event(imaging: Imaging) -> None:
    send(imaging, parsed(radiograph()), title="CT_ROOM_2")
    (event,) = imaging.events()
    actor = event["actor"]
    assert (actor["issuer"], actor["subject"], actor["role"]) == ("dimse", "CT_ROOM_2", "ehr-system")
    assert event["details"]["door"] == "c-store"


def test_a_full_disk_is_out_of_resources_and_the_sender_may_try_again(
    imaging: Imaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = type(imaging.app.state.runtime.blobs)

    def full(*_: object) -> str:
        raise Unavailable("no room")

    ds = parsed(radiograph())
    with monkeypatch.context() as patch:
        patch.setattr(blobs, "put", full)
        assert send(imaging, ds) == [OUT_OF_RESOURCES]
    assert imaging.instances() == []
    assert send(imaging, ds) == [SUCCESS]


def test_success_means_committed(imaging: Imaging, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.orm import Session

    def fails(_: object) -> None:
        raise OSError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", fails)
        patch.setattr("sqlalchemy.orm.session.SessionTransaction.commit", lambda *_, **__: fails(None))
        assert send(imaging, parsed(radiograph())) == [PROCESSING_FAILURE]
    assert imaging.instances() == []


def test_associations_at_once_are_all_served(imaging: Imaging) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda _: send(imaging, *(parsed(radiograph()) for _ in range(3))), range(4)))
    assert statuses == [[SUCCESS] * 3] * 4
    assert len(imaging.instances()) == 12


def test_a_wrong_called_title_is_rejected_where_required(bed: TestBed, database_url: str) -> None:
    settings: dict[str, Any] = {"require_called_ae_title": True, "ae_title": "ELSE"}
    with started(bed, database_url, **settings) as service, association(service, VERIFICATION) as assoc:
        assert assoc.is_rejected


@pytest.mark.parametrize("processes", [0, 2])
def test_a_taken_port_is_named_with_its_setting(
    imaging: Imaging, bed: TestBed, database_url: str, processes: int
) -> None:
    from fastapi.testclient import TestClient

    settings = Settings(database_url=database_url, dimse_port=imaging.dimse_port, dimse_processes=processes)
    app = create_app(settings, bed.common)
    with pytest.raises(RuntimeError, match="CONSILIUM_IMAGING_DIMSE_PORT"), TestClient(app):
        pass


def test_without_the_listener_the_web_part_is_ready(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, dimse_enabled=False) as service:
        assert service.app.state.dimse_port is None
        assert service.client.get("/readyz").status_code == 200


def silent(imaging: Imaging, n: int) -> list[socket.socket]:
    """Connections on which nothing is asked for, each with its thread in the service."""
    connections = [socket.create_connection(("127.0.0.1", imaging.dimse_port)) for _ in range(n)]
    until(lambda: len([assoc for assoc in acceptors() if assoc.dul.is_alive()]) == n, 10, "a thread of each")
    return connections


def acceptors() -> list[Association]:
    return [thread for thread in threading.enumerate() if isinstance(thread, Association) and thread.is_acceptor]


def test_a_stop_ends_connections_on_which_nothing_was_asked_for(bed: TestBed, database_url: str) -> None:
    # An exception in one of their threads fails the test.
    with started(bed, database_url) as imaging:
        connections = silent(imaging, 8)
        begun = acceptors()
    for connection in connections:
        with connection:
            assert connection.recv(1) == b""
    for thread in begun:
        thread.join(ASSOCIATE_S / 2)
        assert not thread.is_alive()


def test_a_caller_that_hangs_up_without_a_word_takes_nobodys_place(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, dimse_max_associations=2) as imaging:
        for connection in silent(imaging, 2):
            connection.close()
        until(lambda: not acceptors(), ASSOCIATE_S / 2, "the end of their threads")
        assert send(imaging, parsed(radiograph())) == [SUCCESS]


@pytest.mark.parametrize("state", ["Sta1", "Sta13"])
def test_an_abort_after_the_end_is_passed_over(state: str) -> None:
    # A sender releases in the moment of a stop: what ends anyhow needs no abort.
    assoc = Association(AE(), "acceptor")
    machine = LenientStateMachine(assoc.dul)
    machine.current_state = state
    assoc.acse.send_abort(0x00)
    for _ in range(2):  # announced twice, as the reactor does while it is busy
        machine.do_action("Evt15")
    assert machine.current_state == state
    assert assoc.dul.to_provider_queue.empty()


@pytest.fixture
def storescu() -> str:
    """dcmtk's sender."""
    found = shutil.which("storescu")
    if found is None:
        pytest.skip("dcmtk's storescu is not installed (apt-get install dcmtk)")
    return found


def storescu_run(storescu: str, imaging: Imaging, *options: str) -> int:
    port = str(imaging.dimse_port)
    command = [storescu, "-aet", "DCMTK", "-aec", "CONSILIUM", *options[:-1], "127.0.0.1", port, options[-1]]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


def test_dcmtk_stores_a_file(imaging: Imaging, storescu: str, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(encoded(radiograph()))
    assert storescu_run(storescu, imaging, "-R", str(path)) == 0
    assert len(imaging.instances()) == 1


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("RG1_J2KI.dcm", "-xw"),
        ("RG2_JLSN.dcm", "-xu"),
        ("RG2_JPLL.dcm", "-xs"),
        ("RG2_JPLY.dcm", "-xx"),
        ("RG3_J2KR.dcm", "-xv"),
        ("dx_image.dcm", "-xe"),
    ],
)
def test_dcmtk_stores_real_radiographs_compressed_as_they_are(
    imaging: Imaging, storescu: str, reference_data: Path, name: str, option: str
) -> None:
    path = reference_data / "dicom" / "files" / name
    assert storescu_run(storescu, imaging, "-R", option, str(path)) == 0
    (row,) = imaging.instances()
    assert row.transfer_syntax_uid == pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
