"""What hostile bytes may do to a decoder, and what they may not do to anybody else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate

from services.imaging.dicom.decoder_process import Child, Limits
from services.imaging.dicom.decoder_wire import FrameForm
from services.imaging.dicom.decoders import Decoders
from services.imaging.errors import DecodingStopped, UndecodablePixelData
from shared.auth import Role
from shared.errors import Unavailable
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.dicom import hostile_decoder as hostile
from tests.services.imaging.dicom.test_pixels import J2K_LOSSLESS, compressed, smooth
from tests.services.imaging.dimse.associations import association
from tests.services.imaging.radiographs import encoded, gradient, radiograph
from tests.support.common import TestBed

FORM = FrameForm("1.2.840.10008.1.2.4.90", 24, 32, 16, 12, 0, "MONOCHROME2")
LIMITS = Limits(memory_bytes=2**30, cpu_s=1, wall_s=20.0)


@pytest.fixture(autouse=True)
def _hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children run the hostile program."""
    monkeypatch.setattr("services.imaging.dicom.decoder_process.CHILD", hostile.__name__)


@contextmanager
def pool(limits: Limits = LIMITS, size: int = 1) -> Iterator[Decoders]:
    decoders = Decoders(limits, size)
    try:
        yield decoders
    finally:
        decoders.close()


def process_of(decoders: Decoders) -> int:
    """Which child answers, by its process id."""
    return int(decoders.decode(FORM, hostile.PROCESS)[0, 0])


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (hostile.CRASH, "crash"),
        (hostile.LEAVE, "crash"),
        (hostile.LOOP, "longer than 1 s"),
        (hostile.BOMB, "memory"),
    ],
    ids=["segmentation fault", "exit", "endless loop", "memory"],
)
def test_what_a_codec_does_is_a_refusal_by_name_and_the_next_image_is_decoded(frame: bytes, problem: str) -> None:
    with pool() as decoders:
        before = process_of(decoders)
        with pytest.raises(DecodingStopped) as refused:
            decoders.decode(FORM, frame)
        assert problem in refused.value.fields[0].problem
        assert refused.value.fields[0].fix
        assert process_of(decoders) != before


def test_a_decoder_that_waits_for_ever_is_ended_by_the_clock() -> None:
    with pool(Limits(memory_bytes=2**30, wall_s=1.0)) as decoders:
        process_of(decoders)
        started_at = time.monotonic()
        with pytest.raises(DecodingStopped, match="longer"):
            decoders.decode(FORM, hostile.SLEEP)
        assert time.monotonic() - started_at < 10


def test_pixels_of_another_shape_than_was_asked_for_are_not_believed() -> None:
    with pool() as decoders:
        with pytest.raises(UndecodablePixelData):
            decoders.decode(FORM, hostile.SHAPE)
        assert decoders.decode(FORM, hostile.PROCESS).shape == (24, 32)


def test_what_a_codec_prints_is_not_taken_for_pixels() -> None:
    with pool() as decoders:
        values = decoders.decode(FORM, hostile.PRINT)
        assert len(np.unique(values)) == 1


def test_a_frame_that_no_codec_can_read_costs_no_child() -> None:
    with pool() as decoders:
        before = process_of(decoders)
        with pytest.raises(UndecodablePixelData):
            decoders.decode(FORM, b"no code stream")
        assert process_of(decoders) == before


def test_a_child_is_replaced_after_so_many_images() -> None:
    with pool(Limits(memory_bytes=2**30, decodes_per_child=3)) as decoders:
        seen = [process_of(decoders) for _ in range(7)]
    assert [seen.count(process) for process in dict.fromkeys(seen)] == [3, 3, 1]


def test_a_child_that_ended_while_it_was_idle_is_replaced() -> None:
    with pool() as decoders:
        before = process_of(decoders)
        (child,) = decoders._idle
        os.kill(child._process.pid, signal.SIGKILL)
        child._process.wait()
        assert process_of(decoders) != before


def test_children_work_at_once_and_no_more_than_there_may_be() -> None:
    with pool(Limits(memory_bytes=2**30, cpu_s=2, wall_s=30.0), size=2) as decoders, ThreadPoolExecutor(4) as threads:
        looping = threads.submit(decoders.decode, FORM, hostile.LOOP)
        assert len({threads.submit(process_of, decoders).result() for _ in range(3)}) == 1
        with pytest.raises(DecodingStopped):
            looping.result()


def test_those_who_wait_too_long_for_a_child_are_told_to_come_again() -> None:
    with pool(Limits(memory_bytes=2**30, wall_s=2.0)) as decoders, ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(decoders.decode, FORM, hostile.SLEEP) for _ in range(3)]
        stopped = [type(future.exception()) for future in asked]
    # The first is ended when its time is up, and so is the one that got its place; the last has waited as long by then.
    assert Unavailable in stopped
    assert DecodingStopped in stopped


def test_a_child_that_cannot_start_is_not_the_images_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.imaging.dicom.decoder_process.CHILD", "services.imaging.no_such_program")
    with pool() as decoders, pytest.raises(Unavailable):
        decoders.decode(FORM, hostile.PROCESS)


def test_a_child_is_given_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    child = Child(LIMITS)
    environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    child.close()
    assert b"secret" not in environment


def test_children_end_with_the_pool() -> None:
    with pool() as decoders:
        process_of(decoders)
        pid = decoders._idle[0]._process.pid
    assert not Path(f"/proc/{pid}").exists()


def with_frame(frame: bytes) -> bytes:
    """A radiograph whose compressed frame is something else."""
    ds = pydicom.dcmread(BytesIO(compressed(smooth(12), J2K_LOSSLESS, 12)))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    ds.PixelData = encapsulate([frame])
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture
def fragile(bed: TestBed, database_url: str) -> Iterator[Imaging]:
    """An imaging service with hostile children and a second of processor time for each image."""
    with started(bed, database_url, decode_cpu_s=1, decode_memory_bytes=2**30) as service:
        yield service


@pytest.mark.parametrize("frame", [hostile.CRASH, hostile.LOOP, hostile.BOMB], ids=["crash", "endless loop", "memory"])
def test_a_hostile_instance_is_refused_by_name_at_both_doors(fragile: Imaging, frame: bytes) -> None:
    file = with_frame(frame)
    answer = fragile.stow(file)
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:consilium:problem:decoding-stopped"
    assert answer.json()["errors"][0]["field"] == "PixelData"
    ds = pydicom.dcmread(BytesIO(file))
    with association(fragile, ds.SOPClassUID, [J2K_LOSSLESS]) as assoc:
        assert assoc.send_c_store(ds).Status == 0xC000
        assert assoc.is_established
    assert fragile.instances() == []


def test_others_are_served_while_a_hostile_instance_keeps_a_decoder_busy(fragile: Imaging) -> None:
    good = compressed(smooth(12), J2K_LOSSLESS, 12)
    fragile.stow(good)
    with ThreadPoolExecutor(1) as threads:
        looping: Any = threads.submit(fragile.stow, with_frame(hostile.LOOP))
        served = [fragile.client.get("/healthz").status_code, fragile.stow(encoded(radiograph())).status_code]
        served.append(fragile.stow(good).status_code)
        assert looping.result().status_code == 409
    assert served == [200, 200, 200]
    assert len(fragile.instances()) == 2


def test_a_stored_instance_that_a_codec_dies_of_is_refused_at_reading_too(fragile: Imaging) -> None:
    ds = pydicom.dcmread(BytesIO(compressed(smooth(12, 700, 600), J2K_LOSSLESS, 12)))
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    assert fragile.stow(stream.getvalue()).status_code == 200
    ds.PixelData = encapsulate([hostile.CRASH])
    spoilt = BytesIO()
    ds.save_as(spoilt, enforce_file_format=True)
    fragile.read_by(lambda _, __: spoilt.getvalue())
    url = f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    octets = 'multipart/related; type="application/octet-stream"'
    answers = [fragile.get(f"{url}/rendered"), fragile.get(f"{url}/frames/1", Accept=octets)]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert fragile.client.get("/healthz", headers=fragile.bed.headers(Role.CLINICIAN)).status_code == 200


def bomb_of_components(values: Any) -> bytes:
    """A JPEG 2000 stream whose SIZ segment announces 16,384 components (T.800 A.5.1)."""
    ds = pydicom.dcmread(BytesIO(compressed(values, J2K_LOSSLESS, 12)))
    frame = bytearray(pydicom.encaps.get_frame(ds.PixelData, 0, number_of_frames=1))
    at = frame.index(b"\xff\x51") + 38
    component = bytes(frame[at + 2 : at + 5])
    length = 38 + 3 * 16_384
    siz = bytearray(frame[at - 36 : at]) + (16_384).to_bytes(2, "big") + component * 16_384
    siz[0:2] = length.to_bytes(2, "big")
    return bytes(frame[: at - 36]) + bytes(siz) + bytes(frame[at + 5 :])


def test_a_stream_that_announces_more_than_its_header_costs_nobody_else(
    bed: TestBed, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real codecs
    values = gradient(512, 512)
    with started(bed, database_url, decode_cpu_s=5, decode_memory_bytes=2**29) as imaging:
        answer = imaging.stow(with_frame_of(values, bomb_of_components(values)))
        assert answer.status_code == 202
        assert "PixelData: no decoder can read" in answer.headers["Warning"]
        assert imaging.stow(compressed(values, J2K_LOSSLESS, 12)).status_code == 200


def with_frame_of(values: Any, frame: bytes) -> bytes:
    ds = pydicom.dcmread(BytesIO(compressed(values, J2K_LOSSLESS, 12)))
    ds.PixelData = encapsulate([frame])
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
