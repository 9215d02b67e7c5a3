"""The instance is valid DICOM, and reading it back by the standard gives the picture of the case."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from datetime import datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_voi_lut

from services.diagnosis.ward.dicom import uid
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient


@pytest.fixture(scope="module")
def patients() -> list[WardPatient]:
    return [generate_patient(21, index, side=256) for index in range(24)]


def reread(patient: WardPatient) -> Dataset:
    buffer = BytesIO()
    patient.dataset().save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def displayed(ds: Dataset) -> NDArray[np.float64]:
    """pydicom's VOI LUT, scaled to [0, 1], MONOCHROME1 inverted: what the case's image is held against."""
    top = (1 << ds.BitsStored) - 1
    shown = np.asarray(apply_voi_lut(ds.pixel_array, ds, index=0) / top, dtype=np.float64)
    return 1 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown


def test_reading_the_file_gives_the_pixels_of_the_case(patients: list[WardPatient]) -> None:
    for patient in patients:
        np.testing.assert_allclose(displayed(reread(patient)), patient.case().images[0].pixels, atol=2e-3)


def test_scanners_differ(patients: list[WardPatient]) -> None:
    files = [patient.dataset() for patient in patients]
    assert {ds.PhotometricInterpretation for ds in files} == {"MONOCHROME1", "MONOCHROME2"}
    assert {ds.Modality for ds in files} == {"CR", "DX"}
    assert {ds.BitsStored for ds in files} == {12, 14, 16}
    assert {"VOILUTFunction" in ds for ds in files} == {True, False}
    assert {ds["WindowCenter"].VM for ds in files} == {1, 2}
    assert len({ds.Columns for ds in files}) > 1


def test_identifiers_are_valid_and_a_function_of_the_patient(patients: list[WardPatient]) -> None:
    for patient in patients:
        ds = patient.dataset()
        for value in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID):
            assert value.is_valid
            assert value.startswith("2.25.")
    assert uid("WARD-1-000001", "study") == uid("WARD-1-000001", "study") != uid("WARD-1-000002", "study")


def test_local_clock_and_offset_give_the_acquisition_time(patients: list[WardPatient]) -> None:
    for patient in patients:
        ds = patient.dataset()
        at = datetime.strptime(ds.StudyDate + ds.StudyTime + ds.TimezoneOffsetFromUTC, "%Y%m%d%H%M%S%z")
        assert at == patient.image_at
        assert datetime.strptime(ds.AcquisitionDateTime, "%Y%m%d%H%M%S%z") == patient.image_at


def test_the_header_states_whose_image_it_is(patients: list[WardPatient]) -> None:
    ds = reread(patients[0])
    assert (ds.PatientID, ds.PatientSex) == ("WARD-21-000000", patients[0].person.sex)
    assert ds.PatientAge == f"{patients[0].person.age_years:03d}Y"


@pytest.mark.skipif(not (shutil.which("storescu") and shutil.which("storescp")), reason="needs dcmtk")
def test_dcmtk_sends_and_receives_it(patients: list[WardPatient], tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    (tmp_path / "in").mkdir()
    files = [tmp_path / f"{patient.patient_id}.dcm" for patient in patients[:6]]
    for patient, file in zip(patients, files, strict=False):
        patient.dataset().save_as(file, enforce_file_format=True)
    receiver = subprocess.Popen(["storescp", "-od", str(tmp_path / "in"), port])
    try:
        deadline = time.monotonic() + 20
        while subprocess.run(["echoscu", "127.0.0.1", port], capture_output=True).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        subprocess.run(["storescu", "127.0.0.1", port, *map(str, files)], check=True, timeout=60)
    finally:
        receiver.terminate()
        receiver.wait(20)
    received = [pydicom.dcmread(file) for file in (tmp_path / "in").iterdir()]
    assert {ds.PatientID for ds in received} == {patient.patient_id for patient in patients[:6]}
