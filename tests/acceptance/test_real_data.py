"""Real files from outside, sent by dcmtk and dicomweb-client; a real radiograph with its note and vitals."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from tests.support.cases import consent, dicom_bytes, send_vitals
from tests.support.suite import RunningSuite

pytestmark = pytest.mark.e2e

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHEST_FILMS = (("RG1_J2KI.dcm", "-xw"), ("966_fixed.dcm", "-xv"))
"""Chest radiographs among the reference files (MONOCHROME1, 2000 x 2000), and storescu's option for their syntax."""
OTHER_FILMS = ("RG2_JLSN.dcm", "RG2_JPLL.dcm", "RG3_J2KR.dcm")
"""Radiographs of a hip and a leg: stored, and told from a chest."""


@pytest.fixture(scope="module")
def films(reference_data: Path) -> Path:
    return reference_data / "dicom"


def _find(films: Path, name: str) -> Path:
    return next(films.rglob(name))


def _patient_of(path: Path) -> str:
    from pydicom import dcmread

    return str(dcmread(path, stop_before_pixels=True).PatientID)


@pytest.mark.parametrize(("name", "syntax"), CHEST_FILMS)
def test_a_real_chest_film_sent_by_storescu_is_answered_honestly(
    suite: RunningSuite, films: Path, name: str, syntax: str
) -> None:
    if not shutil.which("storescu"):
        pytest.skip("dcmtk's storescu is not installed (Debian package dcmtk)")
    path = _find(films, name)
    command = ["storescu", syntax, "-aec", "CONSILIUM", "127.0.0.1", str(suite.dimse_port), str(path)]
    subprocess.run(command, check=True, timeout=60)
    patient = _patient_of(path)
    consent(suite.ehr, patient, ["image"])
    result = suite.diagnose(patient, modalities=["image"])
    image = result["modalities"]["image"]
    assert image["evidence"]
    # The demo bundle knows only its synthetic ward: it uses the film and gives its reservations, or refuses it.
    assert image["status"] in ("used", "rejected")
    if image["status"] == "rejected":
        assert result["status"] == "abstained"
        assert result["reasons"]


@pytest.mark.parametrize("name", OTHER_FILMS)
def test_a_film_of_another_part_sent_by_dicomweb_client_is_no_chest(
    suite: RunningSuite, films: Path, name: str
) -> None:
    path = _find(films, name)
    token = suite.ehr.headers["Authorization"].removeprefix("Bearer ")
    client = [str(Path(sys.executable).with_name("dicomweb_client")), "--url", f"{suite.address}/dicomweb"]
    subprocess.run([*client, "--bearer-token", token, "store", "instances", str(path)], check=True, timeout=60)
    patient = _patient_of(path)
    consent(suite.ehr, patient, ["image"])
    result = suite.diagnose(patient, modalities=["image"])
    assert result["modalities"]["image"]["status"] == "rejected"
    assert result["status"] == "abstained"
    assert not result["diagnoses"]


def _cohort_row(cohort: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The first patient with an image, a note and at least two charted vital signs."""
    with (cohort / "observations.csv").open() as file:
        vital = [o for o in csv.DictReader(file) if o["category"] == "vital-signs" and o["value"] and o["unit"]]
    with (cohort / "cohort.csv").open() as file:
        for row in csv.DictReader(file):
            found = [o for o in vital if o["image_id"] == row["image_id"]]
            if row["note_text"] and len(found) >= 2:
                return row, found
    raise AssertionError("the cohort has no such patient")


def _as_dicom(picture: Path, patient: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pixels = np.asarray(Image.open(picture).convert("L"))
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    values: dict[str, Any] = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "PatientID": patient,
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "AcquisitionDate": AT.strftime("%Y%m%d"),
        "AcquisitionTime": AT.strftime("%H%M%S"),
        "TimezoneOffsetFromUTC": "+0000",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def test_a_real_radiograph_with_its_note_and_vitals(suite: RunningSuite, reference_data: Path) -> None:
    cohort = reference_data / "cxr-cohort"
    row, observations = _cohort_row(cohort)
    patient = f"{row['patient_id']}-{suite.topology}"
    dataset = _as_dicom(cohort / row["image_file"], patient)
    path = suite.data.root.parent / f"{patient}.dcm"
    path.write_bytes(dicom_bytes(dataset))
    token = suite.ehr.headers["Authorization"].removeprefix("Bearer ")
    client = [str(Path(sys.executable).with_name("dicomweb_client")), "--url", f"{suite.address}/dicomweb"]
    subprocess.run([*client, "--bearer-token", token, "store", "instances", str(path)], check=True, timeout=60)
    note = {"patient": patient, "authored": AT.isoformat(), "type": "34111-5", "text": row["note_text"]}
    assert suite.ehr.post("/notes", json=note).status_code == 201
    sample = {"patient": patient, "effective": AT.isoformat(), "device": "charted"}
    samples = [{**sample, "code": o["loinc_code"], "value": float(o["value"]), "unit": o["unit"]} for o in observations]
    assert send_vitals(suite.ehr, samples).json()["accepted"] == len(samples)
    assert consent(suite.ehr, patient).status_code == 201
    result = suite.diagnose(patient)
    assert result["status"] in ("succeeded", "abstained")
    assert {m["status"] for m in result["modalities"].values()} <= {"used", "rejected"}
    # It was trained on synthetic patients alone: something about a real one must strike it.
    assert any(m["ood"] and m["ood"]["flagged"] for m in result["modalities"].values())
    assert result["audit"]["receipt"]
