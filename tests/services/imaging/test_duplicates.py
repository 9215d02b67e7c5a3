"""The same instance from several senders at once, by both doors, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pydicom
import pytest

from shared.digests import digest_bytes
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.dimse.associations import send
from tests.services.imaging.radiographs import encoded, gradient, radiograph
from tests.support.common import TestBed

SENDERS = 6
STORED, REFUSED = {200, 0x0000}, {409, 0x0111}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def service(request: pytest.FixtureRequest, bed: TestBed) -> Iterator[Imaging]:
    """An imaging service on either database."""
    name = {"sqlite": "database_url", "postgres": "postgres_imaging_url"}[request.param]
    with started(bed, request.getfixturevalue(name)) as imaging:
        yield imaging


def by_stow(imaging: Imaging, file: bytes) -> int:
    return int(imaging.stow(file).status_code)


def by_c_store(imaging: Imaging, file: bytes) -> int:
    return send(imaging, pydicom.dcmread(BytesIO(file)))[0]


def by_either(imaging: Imaging, file: bytes) -> int:
    return by_stow(imaging, file) if file[-1] % 2 else by_c_store(imaging, file)


DOORS = pytest.mark.parametrize("door", [by_stow, by_c_store, by_either], ids=["stow", "c-store", "both"])


def variants() -> list[bytes]:
    """One instance's UIDs, and as many contents as there are senders."""
    ds = radiograph()
    files = []
    for number in range(SENDERS):
        pixels = gradient()
        pixels[-1, -1] = (number << 8) + number  # the last byte of the file: `by_either` goes by it
        ds.PixelData = pixels.tobytes()
        files.append(encoded(ds))
    return files


@DOORS
def test_the_same_bytes_from_all_are_a_success_and_one_row_and_one_event(service: Imaging, door: Any) -> None:
    file = variants()[1]
    with ThreadPoolExecutor(SENDERS) as pool:
        statuses = set(pool.map(lambda _: door(service, file), range(2 * SENDERS)))
    assert statuses <= STORED
    assert len(service.instances()) == 1
    assert [event["subtype"] for event in service.events()] == ["dicom-stored"]


@DOORS
def test_of_other_bytes_under_the_same_uids_the_first_are_stored_and_never_overwritten(
    service: Imaging, door: Any
) -> None:
    files = variants()
    with ThreadPoolExecutor(SENDERS) as pool:
        statuses = list(pool.map(lambda file: door(service, file), files))
    assert Counter(status in STORED for status in statuses) == {True: 1, False: SENDERS - 1}
    assert set(statuses) <= STORED | REFUSED
    (row,) = service.instances()
    kept = pydicom.dcmread(BytesIO(service.content(row)))
    (winner,) = [file for file, status in zip(files, statuses, strict=True) if status in STORED]
    assert kept.PixelData == pydicom.dcmread(BytesIO(winner)).PixelData
    # Again, when all is quiet: still refused.
    assert all(door(service, file) in REFUSED for file in files if file != winner)


def test_every_refusal_commits_to_the_digests_of_both(service: Imaging) -> None:
    files = variants()
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(lambda file: by_stow(service, file), files))
    commit = service.app.state.runtime.events.pseudonyms.content
    (row,) = service.instances()
    refused = [event for event in service.events() if event["subtype"] == "dicom-refused"]
    assert {event["outcomeReason"] for event in refused} == {"duplicate-other-content"}
    assert {event["details"]["stored"] for event in refused} == {commit(row.digest)}
    sent = {commit(digest_bytes(file)) for file in files} - {commit(row.digest)}
    assert {event["object"]["digest"] for event in refused} == sent


def test_one_sop_instance_uid_in_many_series_at_once_is_many_instances(service: Imaging) -> None:
    first = radiograph()
    files = [encoded(radiograph(SOPInstanceUID=first.SOPInstanceUID)) for _ in range(SENDERS)]
    with ThreadPoolExecutor(SENDERS) as pool:
        assert set(pool.map(lambda file: by_stow(service, file), files)) == {200}
    assert len(service.instances()) == SENDERS
