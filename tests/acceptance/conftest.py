"""One running suite per topology for the whole run, and patients to send into it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from tests.support.cases import rename
from tests.support.suite import RunningSuite, running_suite

TOPOLOGIES = ("embedded", "distributed")
_numbers = itertools.count()


@pytest.fixture(scope="session", params=TOPOLOGIES)
def suite(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """The whole suite, started by `consilium up`."""
    directory = tmp_path_factory.mktemp(f"suite-{request.param}")
    # PostgreSQL runs as an unprivileged user when the tests run as root: it must be able to reach its directory.
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(0o755)
    with running_suite(directory, request.param) as running:
        yield running


@pytest.fixture(scope="session")
def embedded_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """An embedded suite for what does not depend on the topology."""
    with running_suite(tmp_path_factory.mktemp("suite-only-embedded")) as running:
        yield running


@pytest.fixture(scope="session")
def ward() -> Callable[[], WardPatient]:
    """A new synthetic patient each time, with all three modalities and an identifier nobody else has."""

    def next_patient() -> WardPatient:
        number = next(_numbers)
        return rename(generate_patient(4242, number), f"ACC-{number:04d}")

    return next_patient


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A directory for files a test makes."""
    return tmp_path
