"""A running ehr service: started once per module, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.common import make_test_bed
from tests.support.ehr_neighbours import Door, open_door


@pytest.fixture(scope="module")
def running_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The ehr service with its neighbours."""
    bed = make_test_bed(tmp_path_factory.mktemp("ehr"))
    with open_door(bed, bed.sqlite("ehr")) as running:
        yield running


@pytest.fixture
def door(running_door: Door) -> Door:
    """The same, with nothing stored yet."""
    running_door.empty()
    return running_door
