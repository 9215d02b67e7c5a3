"""A suite that is killed outright has lost nothing when it starts again, and one Ctrl-C leaves no process behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from services.diagnosis.ward.patient import WardPatient
from tests.acceptance.conftest import TOPOLOGIES
from tests.support.cases import Case, admit
from tests.support.suite import running_suite, until

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_suite_killed_outright_starts_again_with_everything(
    topology: str, open_directory: Path, ward: NextPatient
) -> None:
    directory = open_directory
    case = Case.of(ward())
    with running_suite(directory, topology) as suite:
        admit(suite, case)
        result = suite.diagnose(case.patient)
        pids = suite.pids().values()
        suite.process.kill()
        suite.process.wait()
        until(lambda: not any(map(psutil.pid_exists, pids)) or None, 20, "the children to end")
    with running_suite(directory, topology) as again:
        kept = again.clinician.get(f"/diagnoses/{result['id']}").raise_for_status().json()
        assert kept["diagnoses"] == result["diagnoses"]
        assert kept["audit"] == result["audit"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(directory) in " ".join(p.info["cmdline"] or ())]


def test_one_ctrl_c_stops_everything(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("stopped")
    with running_suite(directory) as suite:
        pids = list(suite.pids().values())
        suite.process.send_signal(signal.SIGINT)
        assert suite.process.wait(30) == 0
    assert not any(map(psutil.pid_exists, pids))
    assert "Stopped" in (directory.parent / f"{directory.name}-up.log").read_text()
