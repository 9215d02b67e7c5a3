"""Several processes serve associations: each takes its share, and none is missed when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from services.imaging.dimse.receivers import Receivers
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.dimse.associations import SUCCESS, VERIFICATION, association, parsed, send
from tests.services.imaging.radiographs import DX_PRESENTATION, radiograph
from tests.support.common import PROJECT_ROOT, TestBed
from tests.support.suite import until

START_S = 60.0
PARENT = """
import sys, time
from services.imaging.dimse.receivers import Receivers
from services.imaging.settings import Settings
from shared.settings import CommonSettings
if __name__ == "__main__":
    url, common = sys.argv[1:]
    settings = Settings(database_url=url, dimse_port=0)
    receivers = Receivers(settings, CommonSettings.model_validate_json(common))
    receivers.start()
    while not receivers.listening:
        time.sleep(0.05)
    print("listening", flush=True)
    time.sleep(600)
"""


def receivers_of(imaging: Imaging) -> Receivers:
    listener = imaging.app.state.dimse
    assert isinstance(listener, Receivers)
    return listener


def all_ready(imaging: Imaging) -> bool:
    return len(ready := [one.ready for one in receivers_of(imaging)._receivers]) == 2 and all(ready)


@pytest.fixture
def imaging(bed: TestBed, database_url: str) -> Iterator[Imaging]:
    """An imaging service whose associations two processes serve, both ready."""
    with started(bed, database_url, dimse_processes=2) as service:
        until(lambda: all_ready(service), START_S, "the receivers")
        yield service


def test_what_each_process_takes_in_is_stored_and_told_to_the_log(imaging: Imaging) -> None:
    with ExitStack() as stack:
        associations = [stack.enter_context(association(imaging, DX_PRESENTATION)) for _ in range(4)]
        shares = [one.serves for one in receivers_of(imaging)._receivers]
        codes = [
            int(one.send_c_store(parsed(radiograph(PatientID=f"P-{n}"))).Status) for n, one in enumerate(associations)
        ]
    assert (shares, codes) == ([2, 2], [SUCCESS] * 4)
    stored = [event for event in imaging.events() if event["subtype"] == "dicom-stored"]
    assert (len(imaging.instances()), len(stored)) == (4, 4)
    until(lambda: [one.serves for one in receivers_of(imaging)._receivers] == [0, 0], START_S, "the receivers")


def test_a_process_that_dies_is_replaced_and_the_other_serves_meanwhile(imaging: Imaging) -> None:
    with association(imaging, DX_PRESENTATION) as lost:
        (victim,) = [one for one in receivers_of(imaging)._receivers if one.serves]
        assert victim.process.pid is not None
        os.kill(victim.process.pid, signal.SIGKILL)
        until(lambda: not lost.is_established, START_S, "the receivers")
    assert send(imaging, parsed(radiograph())) == [SUCCESS]
    until(lambda: all_ready(imaging), START_S, "the receivers")
    assert victim not in receivers_of(imaging)._receivers
    with association(imaging, VERIFICATION) as first, association(imaging, VERIFICATION) as second:
        assert [one.serves for one in receivers_of(imaging)._receivers] == [1, 1]
        assert [one.send_c_echo().Status for one in (first, second)] == [SUCCESS, SUCCESS]


def test_the_service_is_ready_when_one_process_is(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, dimse_processes=1) as imaging:
        waiting = imaging.client.get("/readyz")
        assert waiting.json() == {"status": "starting", "waitingFor": ["dicom listener"]}
        until(lambda: imaging.client.get("/readyz").status_code == 200, START_S, "the receivers")
        assert send(imaging, parsed(radiograph())) == [SUCCESS]


def test_a_connection_waits_for_a_process_that_still_starts(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, dimse_processes=1) as imaging, association(imaging, VERIFICATION) as assoc:
        assert assoc.send_c_echo().Status == SUCCESS


def test_each_process_takes_its_share_of_the_associations(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, dimse_processes=2, dimse_max_associations=2) as imaging, ExitStack() as stack:
        until(lambda: all_ready(imaging), START_S, "the receivers")
        served = [stack.enter_context(association(imaging, VERIFICATION)) for _ in range(3)]
        assert [assoc.is_established for assoc in served] == [True, True, False]


def test_processes_end_with_the_service(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, dimse_processes=2) as imaging:
        until(lambda: all_ready(imaging), START_S, "the receivers")
        processes = [one.process for one in receivers_of(imaging)._receivers]
    assert [process.exitcode for process in processes] == [0, 0]


def test_processes_end_when_their_parent_is_killed(bed: TestBed, database_url: str) -> None:
    command = [sys.executable, "-c", PARENT, database_url, bed.common.model_dump_json()]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "listening\n"
        children = psutil.Process(parent.pid).children()
        parent.kill()
    assert children
    assert psutil.wait_procs(children, timeout=30)[1] == []
