"""One running suite per topology for the whole run, and patients to send into it."""

from __future__ import annotations

import itertools
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import torch

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from tests.support.cases import rename
from tests.support.suite import RunningSuite, running_suite

TOPOLOGIES = ("embedded", "distributed")


@pytest.fixture(scope="session")
def started() -> Iterator[Callable[[str], RunningSuite]]:
    """Starts the suite of a topology when it is first wanted, and keeps it for the whole run."""
    with ExitStack() as stack:
        running: dict[str, RunningSuite] = {}

        def of(topology: str) -> RunningSuite:
            if topology not in running:
                directory = stack.enter_context(_reachable_directory())
                running[topology] = stack.enter_context(running_suite(directory / "data", topology))
            return running[topology]

        yield of


@pytest.fixture(scope="session", params=TOPOLOGIES)
def suite(request: pytest.FixtureRequest, started: Callable[[str], RunningSuite]) -> RunningSuite:
    """The whole suite, started by `consilium up`."""
    return started(request.param)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that another user may enter."""
    with _reachable_directory() as directory:
        yield directory / "data"


@contextmanager
def _reachable_directory() -> Iterator[Path]:
    # Not below pytest's own root, which only the user who runs the tests may enter: run as root, PostgreSQL runs as an
    # unprivileged user.
    with tempfile.TemporaryDirectory(prefix="consilium-suite-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def embedded_suite(started: Callable[[str], RunningSuite]) -> RunningSuite:
    """An embedded suite for what does not depend on the topology."""
    return started("embedded")


@pytest.fixture(scope="session")
def shipped() -> Predictor:
    """The bundle that a suite comes with."""
    torch.set_num_threads(1)  # a second thread would only take time from the suite under test
    return Predictor.load(DEMO_BUNDLE)


@pytest.fixture(scope="module")
def ward(request: pytest.FixtureRequest, shipped: Predictor) -> Callable[[], WardPatient]:
    """A new synthetic patient each time, with all three modalities and an identifier nobody else has; those of a file
    are the same in each run, in whatever order and by however many processes the files are run.

    The shipped bundle finds one of a hundred of its own ward's inputs strange, by design: those patients are passed
    over, so that a test which expects a modality to be used does not depend on which patient it happens to get.
    """
    numbers = itertools.count(zlib.crc32(request.path.name.encode()) % 10_000 * 100)

    def next_patient() -> WardPatient:
        while True:
            number = next(numbers)
            patient = generate_patient(4242, number)
            if all(m.used for m in shipped.predict(patient.case()).modalities.values()):
                return rename(patient, f"ACC-{number:06d}")

    return next_patient


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A directory for files a test makes."""
    return tmp_path
