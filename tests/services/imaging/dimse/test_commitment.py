"""Storage commitment over real associations: an SCU that waits, one that hangs up, one that is away (PS3.4 annex J)."""

from __future__ import annotations

import queue
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt

from services.imaging.store import CommitmentRow
from services.imaging.usecases import commitment as usecases
from shared.clock import utc_now
from shared.errors import Unavailable
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.dimse.associations import SUCCESS, parsed, send
from tests.services.imaging.radiographs import CR, DX_PRESENTATION, REPORT, encoded, radiograph
from tests.support.common import TestBed

# PS3.4 J.3.5 and PS3.6 annex A; event types by table J.3-2.
PUSH_MODEL, PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
REQUEST, ALL_COMMITTED, FAILURES_EXIST = 1, 1, 2
# Failure reasons by PS3.3 C.14.1.1.
PROCESSING_FAILURE, NO_SUCH_INSTANCE, CLASS_INSTANCE_CONFLICT, CLASS_NOT_SUPPORTED = 0x0110, 0x0112, 0x0119, 0x0122
TITLE = "MODALITY"
WAIT_S = 60.0

Report = tuple[int, Dataset]


class Reports:
    """What N-EVENT-REPORTs an SCU received; each is answered with success."""

    def __init__(self) -> None:
        self._received: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, self._on_report)]

    def _on_report(self, event: Any) -> tuple[int, None]:
        self._received.put((event.event_type, event.event_information))
        return SUCCESS, None

    def next(self) -> Report:
        """The next report, which comes soon."""
        return self._received.get(timeout=WAIT_S)

    def none(self, seconds: float = 0.5) -> bool:
        """Whether none comes in that time."""
        time.sleep(seconds)
        return self._received.empty()


@contextmanager
def requestor(imaging: Imaging, reports: Reports, more: Sequence[str] = ()) -> Iterator[Any]:
    """An association of an SCU that takes reports on it."""
    ae = AE(ae_title=TITLE)
    for sop_class_uid in (PUSH_MODEL, *more):
        ae.add_requested_context(sop_class_uid, ExplicitVRLittleEndian)
    assoc = ae.associate("127.0.0.1", imaging.dimse_port, evt_handlers=reports.handlers)
    assert assoc.is_established
    try:
        yield assoc
    finally:
        assoc.release()


@contextmanager
def listener(reports: Reports, port: int = 0) -> Iterator[int]:
    """The SCU's own listener, for reports after it has hung up."""
    ae = AE(ae_title=TITLE)
    ae.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
    server: Any = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=reports.handlers)
    try:
        yield server.server_address[1]
    finally:
        ae.shutdown()


def asked_for(*references: tuple[str, str], transaction_uid: str = "") -> Dataset:
    ds = Dataset()
    ds.TransactionUID = transaction_uid or generate_uid()
    ds.ReferencedSOPSequence = []
    for sop_class_uid, sop_instance_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
        ds.ReferencedSOPSequence.append(item)
    return ds


def ask(assoc: Any, ds: Dataset, action: int = REQUEST, instance: str = PUSH_MODEL_INSTANCE) -> int:
    status, _ = assoc.send_n_action(ds, action, PUSH_MODEL, instance)
    return int(status.Status)


def stored(imaging: Imaging, **attributes: Any) -> tuple[str, str]:
    ds = radiograph(**attributes)
    assert imaging.stow(encoded(ds)).status_code == 200
    return ds.SOPClassUID, ds.SOPInstanceUID


def listed(ds: Dataset, keyword: str) -> list[tuple[str, str]]:
    return [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in ds.get(keyword, [])]


def rows(imaging: Imaging) -> list[CommitmentRow]:
    with imaging.app.state.runtime.sessions() as session:
        return list(session.scalars(sa.select(CommitmentRow)))


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_is_stored_is_committed_on_the_same_association(imaging: Imaging) -> None:
    wanted, reports = [stored(imaging), stored(imaging)], Reports()
    ds = asked_for(*wanted)
    with requestor(imaging, reports) as assoc:
        assert ask(assoc, ds) == SUCCESS
        event_type, report = reports.next()
    assert (event_type, report.TransactionUID) == (ALL_COMMITTED, ds.TransactionUID)
    assert listed(report, "ReferencedSOPSequence") == wanted
    assert "FailedSOPSequence" not in report


def test_what_is_not_stored_is_listed_with_its_reason(imaging: Imaging) -> None:
    good, reports = stored(imaging), Reports()
    unknown, conflicting, foreign = (CR, generate_uid()), (CR, stored(imaging)[1]), (REPORT, generate_uid())
    with requestor(imaging, reports) as assoc:
        ask(assoc, asked_for(good, unknown, conflicting, foreign))
        event_type, report = reports.next()
    assert event_type == FAILURES_EXIST
    assert listed(report, "ReferencedSOPSequence") == [good]
    assert listed(report, "FailedSOPSequence") == [unknown, conflicting, foreign]
    reasons = [item.FailureReason for item in report.FailedSOPSequence]
    assert reasons == [NO_SUCH_INSTANCE, CLASS_INSTANCE_CONFLICT, CLASS_NOT_SUPPORTED]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"rotten")], ids=["gone", "rotten"])
def test_an_instance_whose_bytes_are_not_intact_is_not_committed(imaging: Imaging, damage: Any) -> None:
    reference, reports = stored(imaging), Reports()
    digest = imaging.instances()[0].digest.removeprefix("sha256:")
    (file,) = (imaging.bed.directory / "blobs").rglob(digest)
    damage(file)
    with requestor(imaging, reports) as assoc:
        ask(assoc, asked_for(reference))
        event_type, report = reports.next()
    assert event_type == FAILURES_EXIST
    assert report.FailedSOPSequence[0].FailureReason == PROCESSING_FAILURE


def test_a_requestor_that_hung_up_is_called_at_its_address(bed: TestBed, database_url: str) -> None:
    reports = Reports()
    with listener(reports) as port:
        addresses = {TITLE: f"127.0.0.1:{port}"}
        with started(bed, database_url, commitment_addresses=addresses) as imaging:
            ds = asked_for(stored(imaging))
            with requestor(imaging, Reports()) as assoc:
                slow_down(imaging)
                assert ask(assoc, ds) == SUCCESS
            event_type, report = reports.next()
            eventually(lambda: rows(imaging)[0].reported_at is not None)
    assert (event_type, report.TransactionUID) == (ALL_COMMITTED, ds.TransactionUID)


def slow_down(imaging: Imaging) -> None:
    """Let the requestor hang up before the check is done."""

    def slowly(get: Callable[[str], bytes], digest: str) -> bytes:
        time.sleep(0.5)
        return get(digest)

    imaging.read_by(slowly)


@pytest.mark.usefixtures("broken_connections")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_report_that_nobody_takes_is_kept_and_made_after_a_restart(bed: TestBed, database_url: str) -> None:
    reports, port = Reports(), free_port()
    with started(bed, database_url, commitment_addresses={TITLE: f"127.0.0.1:{port}"}) as imaging:
        ds = asked_for(stored(imaging))
        with requestor(imaging, Reports()) as assoc:
            slow_down(imaging)
            ask(assoc, ds)
        eventually(lambda: rows(imaging)[0].attempts == 1)
        come_due(imaging)
    with (
        listener(reports, port),
        started(bed, database_url, commitment_addresses={TITLE: f"127.0.0.1:{port}"}) as imaging,
    ):
        event_type, report = reports.next()
        eventually(lambda: rows(imaging)[0].reported_at is not None)
    assert (event_type, report.TransactionUID) == (ALL_COMMITTED, ds.TransactionUID)


def come_due(imaging: Imaging) -> None:
    with imaging.app.state.runtime.sessions.begin() as session:
        session.execute(sa.update(CommitmentRow).values(due_at=utc_now() + timedelta(seconds=1)))


def test_a_store_that_does_not_answer_is_not_a_failure_of_the_instances(imaging: Imaging) -> None:
    reference, reports = stored(imaging), Reports()

    def away(_: Callable[[str], bytes], __: str) -> bytes:
        raise Unavailable("away")

    imaging.read_by(away)
    with requestor(imaging, reports) as assoc:
        assert ask(assoc, asked_for(reference)) == SUCCESS
        assert reports.none()
    imaging.read_by(lambda get, digest: get(digest))
    assert rows(imaging)[0].due_at is not None


def test_the_same_request_again_is_reported_again(imaging: Imaging) -> None:
    reports = Reports()
    ds = asked_for(stored(imaging))
    with requestor(imaging, reports) as assoc:
        for _ in range(2):
            assert ask(assoc, ds) == SUCCESS
            assert reports.next()[1].TransactionUID == ds.TransactionUID
    assert len(rows(imaging)) == 1


def test_a_transaction_uid_of_other_instances_is_refused(imaging: Imaging) -> None:
    reports = Reports()
    ds = asked_for(stored(imaging))
    with requestor(imaging, reports) as assoc:
        ask(assoc, ds)
        reports.next()
        assert ask(assoc, asked_for(stored(imaging), transaction_uid=ds.TransactionUID)) == 0x0115


def without(keyword: str) -> Dataset:
    ds = asked_for((CR, "1.2.3"))
    delattr(ds, keyword)
    return ds


@pytest.mark.parametrize(
    ("ds", "action", "instance", "status"),
    [
        (asked_for((CR, "1.2.3")), 2, PUSH_MODEL_INSTANCE, 0x0123),
        (asked_for((CR, "1.2.3")), REQUEST, "1.2.3", 0x0112),
        (asked_for(), REQUEST, PUSH_MODEL_INSTANCE, 0x0115),
        (without("TransactionUID"), REQUEST, PUSH_MODEL_INSTANCE, 0x0115),
        (without("ReferencedSOPSequence"), REQUEST, PUSH_MODEL_INSTANCE, 0x0115),
        (asked_for((CR, "")), REQUEST, PUSH_MODEL_INSTANCE, 0x0115),
    ],
    ids=["another action", "another instance", "nothing asked", "no transaction", "no sequence", "no instance UID"],
)
def test_an_action_that_is_no_request_has_its_status(
    imaging: Imaging, ds: Dataset, action: int, instance: str, status: int
) -> None:
    with requestor(imaging, Reports()) as assoc:
        assert ask(assoc, ds, action, instance) == status
    assert rows(imaging) == []


def test_a_report_is_an_event_of_the_one_who_asked_with_numbers_alone(imaging: Imaging) -> None:
    reference, reports = stored(imaging), Reports()
    with requestor(imaging, reports) as assoc:
        ask(assoc, asked_for(reference, (CR, "1.2.3.4")))
        reports.next()
    eventually(lambda: len(imaging.events()) == 2)
    event = imaging.events()[-1]
    assert (event["subtype"], event["outcome"]) == ("dicom-commitment-reported", "failure")
    assert event["actor"]["subject"] == TITLE
    assert (event["details"]["committed"], event["details"]["failed"]) == (1, 1)
    assert not [uid for uid in (reference[1], "1.2.3.4") if uid in str(event)]


def test_a_peer_that_is_away_is_tried_ever_more_rarely_and_given_up_after_a_week(imaging: Imaging) -> None:
    with requestor(imaging, Reports()) as assoc:
        slow_down(imaging)
        ask(assoc, asked_for(stored(imaging)))
    eventually(lambda: rows(imaging)[0].attempts == 1)
    runtime = imaging.app.state.runtime
    due_at = rows(imaging)[0].due_at
    assert due_at is not None
    assert timedelta(seconds=20) < due_at - utc_now() <= timedelta(seconds=30)
    with runtime.sessions.begin() as session:
        session.execute(sa.update(CommitmentRow).values(requested_at=utc_now() - timedelta(days=8), due_at=utc_now()))
    eventually(lambda: rows(imaging)[0].due_at is None)
    assert rows(imaging)[0].reported_at is None


def test_two_processes_never_hold_one_request(imaging: Imaging) -> None:
    with requestor(imaging, Reports()) as assoc:
        slow_down(imaging)
        ask(assoc, asked_for(stored(imaging)))
        # Leased to the process that took it: nobody else finds it due.
        assert usecases.next_due(imaging.app.state.runtime) is None


def test_commitment_of_what_was_just_sent_on_the_same_association(imaging: Imaging) -> None:
    ds, reports = parsed(radiograph()), Reports()
    with requestor(imaging, reports, [DX_PRESENTATION]) as assoc:
        assert assoc.send_c_store(ds).Status == SUCCESS
        ask(assoc, asked_for((ds.SOPClassUID, ds.SOPInstanceUID)))
        assert reports.next()[0] == ALL_COMMITTED


def test_without_commitment_an_association_is_served_as_before(imaging: Imaging) -> None:
    assert send(imaging, parsed(radiograph())) == [SUCCESS]
    assert rows(imaging) == []
