"""The instance is valid DICOM, and reading it back by the standard gives the picture of the case."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from services.diagnosis.ward.dicom import Identity, build_dataset, invented_name, uid
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.description import render_frame
from services.imaging.dicom.reading import read_instance
from services.imaging.dicom.render import WHITE, fit


@pytest.fixture(scope="module")
def patients() -> list[WardPatient]:
    return [generate_patient(21, index, side=128) for index in range(80)]


def written(patient: WardPatient) -> bytes:
    buffer = BytesIO()
    patient.dataset().save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def reread(patient: WardPatient) -> Dataset:
    return pydicom.dcmread(BytesIO(written(patient)))


def displayed(ds: Dataset) -> NDArray[np.float64]:
    """pydicom's modality and VOI LUT, scaled to [0, 1], MONOCHROME1 inverted."""
    values = np.rint(apply_modality_lut(ds.pixel_array, ds) * 4).astype(np.int64) / 4  # slopes here are quarters
    for keyword in ("RescaleSlope", "RescaleIntercept"):  # applied; left in, they change pydicom's output range
        if keyword in ds:
            delattr(ds, keyword)
    if "VOILUTSequence" in ds:
        item = ds.VOILUTSequence[0]
        shown = apply_voi(values.astype(np.int64), ds) / (2 ** item.LUTDescriptor[2] - 1)
    else:
        shown = apply_windowing(values, ds, index=0) / (2**ds.BitsStored - 1)
    return np.asarray(1 - shown if ds.PhotometricInterpretation == "MONOCHROME1" else shown, dtype=np.float64)


def test_pydicom_shows_the_pixels_of_the_case(patients: list[WardPatient]) -> None:
    for patient in patients:
        np.testing.assert_allclose(displayed(reread(patient)), patient.case().images[0].pixels, atol=1e-5)


def test_the_imaging_service_shows_the_pixels_of_the_case(patients: list[WardPatient], decoders: Decoders) -> None:
    for patient in patients:
        display = fit(np.asarray(render_frame(read_instance(written(patient)), decoders), np.uint16))
        np.testing.assert_allclose(display / WHITE, patient.case().images[0].pixels, atol=1e-5)


def test_an_image_larger_than_the_model_takes_is_reduced_as_the_imaging_service_does(decoders: Decoders) -> None:
    patient = generate_patient(22, 0, side=1024)
    display = fit(np.asarray(render_frame(read_instance(written(patient)), decoders), np.uint16))
    np.testing.assert_allclose(display / WHITE, patient.case().images[0].pixels, atol=1e-4)


def test_no_encoding_changes_the_picture_by_more_than_rounding(patients: list[WardPatient]) -> None:
    for patient in patients:
        levels = patient.encoding.grayscale.high - patient.encoding.grayscale.low
        step = 1 / abs(levels / patient.encoding.grayscale.slope)
        meant = np.clip(patient.radiograph.brightness, 0, 1)
        # A sigmoid reaches neither 0 nor 1, and the steepest of the curves is twice as steep as a straight line.
        np.testing.assert_allclose(patient.case().images[0].pixels, meant, atol=0.02 + 2 * step)


def test_scanners_differ(patients: list[WardPatient]) -> None:
    files = [patient.dataset() for patient in patients]
    assert {ds.PhotometricInterpretation for ds in files} == {"MONOCHROME1", "MONOCHROME2"}
    assert {ds.Modality for ds in files} == {"CR", "DX"}
    assert {ds.BitsStored for ds in files} == {10, 12, 14, 16}
    assert {ds.get("VOILUTFunction", "LINEAR") for ds in files} == {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
    assert {"VOILUTSequence" in ds for ds in files} == {True, False}
    assert {float(ds.get("RescaleSlope", 1)) for ds in files} == {1.0, 0.25, -1.0}
    assert {("PixelSpacing" in ds, "ImagerPixelSpacing" in ds) for ds in files} == {
        (True, True),
        (False, True),
        (False, False),
    }
    assert {ds.get("SpecificCharacterSet") for ds in files} == {None, "ISO_IR 100", "ISO_IR 192"}
    assert {ds.ViewPosition for ds in files} == {"AP", "PA"}
    assert len({ds.Columns for ds in files}) > 1
    assert {ds.file_meta.TransferSyntaxUID for ds in files} >= {
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
    }


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
)
def test_every_transfer_syntax_gives_the_stored_values_back(patients: list[WardPatient], syntax: UID) -> None:
    patient = patients[0]
    identity = Identity(patient.patient_id, "WARD^PATIENT", "F", 50, patient.image_at)
    encoding = replace(patient.encoding, transfer_syntax_uid=syntax)
    buffer = BytesIO()
    build_dataset(patient.stored, encoding, identity).save_as(buffer, enforce_file_format=True)
    ds = pydicom.dcmread(BytesIO(buffer.getvalue()))
    assert ds.file_meta.TransferSyntaxUID == syntax
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        # By another library than the one that wrote it.
        ds.decompress(decoding_plugin="pydicom" if syntax == RLELossless else "gdcm")
    np.testing.assert_array_equal(ds.pixel_array, patient.stored)


def test_digital_xray_instances_have_what_their_object_requires(patients: list[WardPatient]) -> None:
    """Type 1 attributes of PS3.3 A.26, and the identity rescale of C.8.11.3."""
    for ds in (patient.dataset() for patient in patients):
        if ds.Modality == "DX":
            assert (ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType) == (1, 0, "US")
            assert ds.PresentationIntentType == "FOR PRESENTATION"
            assert ds.PresentationLUTShape == (
                "INVERSE" if ds.PhotometricInterpretation == "MONOCHROME1" else "IDENTITY"
            )
            assert ds.ImagerPixelSpacing
            assert ds.ImageLaterality == "U"
            assert ds.AnatomicRegionSequence[0].CodeValue == "816094009"
            assert "AcquisitionContextSequence" in ds


def test_names_survive_their_character_set_and_name_nobody(patients: list[WardPatient]) -> None:
    names = set()
    for patient in patients:
        name = reread(patient).PatientName
        assert str(name) == invented_name(patient.patient_id, patient.encoding)
        assert patient.patient_id[-6:] in str(name)
        names.add(str(name.family_name))
    assert {"WARD", "WÄRD", "ΦΎΛΑΚΑΣ"} <= names


def test_the_scanner_knows_nothing_of_the_illness(patients: list[WardPatient]) -> None:
    for first, second in pairwise(patients):
        assert replace(first, latents=second.latents).encoding == first.encoding


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
    # storescu proposes no compressed syntaxes unless told to.
    native = [patient for patient in patients if patient.encoding.transfer_syntax_uid == ExplicitVRLittleEndian]
    files = [tmp_path / f"{patient.patient_id}.dcm" for patient in native[:6]]
    for patient, file in zip(native, files, strict=False):
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
    assert {ds.PatientID for ds in received} == {patient.patient_id for patient in native[:6]}
