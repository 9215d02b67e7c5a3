"""An independent DICOMweb client (dicomweb-client) against the service on a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from fastapi import FastAPI

from services.imaging.app import create_app
from services.imaging.settings import Settings
from shared.auth import Role
from tests.services.imaging.radiographs import REPORT, encoded, radiograph
from tests.support.common import TestBed
from tests.support.servers import serve


@pytest.fixture
def app(bed: TestBed, database_url: str) -> FastAPI:
    """The service, to be run on a socket."""
    return create_app(Settings(database_url=database_url, dimse_enabled=False), bed.common)


@pytest.fixture
def client(app: FastAPI, bed: TestBed) -> Iterator[DICOMwebClient]:
    """The client, with the token of a clinician."""
    with serve(app) as url:
        yield DICOMwebClient(f"{url}/dicomweb", headers=bed.headers(Role.CLINICIAN))


def parsed(**attributes: Any) -> pydicom.Dataset:
    return pydicom.dcmread(BytesIO(encoded(radiograph(**attributes))))


def uids(ds: pydicom.Dataset) -> tuple[str, str, str]:
    return ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID


def test_stored_instances_are_referenced(client: DICOMwebClient) -> None:
    first, second = parsed(), parsed()
    response = client.store_instances([first, second])
    stored = {item.ReferencedSOPInstanceUID for item in response.ReferencedSOPSequence}
    assert stored == {first.SOPInstanceUID, second.SOPInstanceUID}


def test_a_partial_store_lists_the_failed_one(client: DICOMwebClient) -> None:
    wrong = parsed(SOPClassUID=REPORT)
    response = client.store_instances([parsed(), wrong])
    (item,) = response.FailedSOPSequence
    assert (item.ReferencedSOPInstanceUID, item.FailureReason) == (wrong.SOPInstanceUID, 0x0122)


def test_a_chunked_upload_is_stored(app: FastAPI, bed: TestBed) -> None:
    with serve(app) as url:
        chunked = DICOMwebClient(f"{url}/dicomweb", headers=bed.headers(Role.CLINICIAN), chunk_size=500)
        ds = parsed()
        chunked.store_instances([ds])
        assert [item["0020000D"]["Value"] for item in chunked.search_for_studies()] == [[ds.StudyInstanceUID]]


def test_an_instance_comes_back_with_its_pixels(client: DICOMwebClient) -> None:
    ds = parsed()
    client.store_instances([ds])
    back = client.retrieve_instance(*uids(ds))
    assert back.PixelData == ds.PixelData
    assert back.PatientName == ds.PatientName


def test_a_series_and_a_study_come_back_whole(client: DICOMwebClient) -> None:
    first = parsed()
    second = parsed(StudyInstanceUID=first.StudyInstanceUID, SeriesInstanceUID=first.SeriesInstanceUID)
    client.store_instances([first, second])
    wanted = {first.SOPInstanceUID, second.SOPInstanceUID}
    assert {ds.SOPInstanceUID for ds in client.retrieve_series(*uids(first)[:2])} == wanted
    assert {ds.SOPInstanceUID for ds in client.retrieve_study(first.StudyInstanceUID)} == wanted


def test_metadata_parse_as_a_data_set(client: DICOMwebClient) -> None:
    ds = parsed()
    client.store_instances([ds])
    header = pydicom.Dataset.from_json(client.retrieve_instance_metadata(*uids(ds)))
    assert (header.PatientID, header.Rows, header.Columns) == ("P-1", 24, 32)


def test_a_frame_comes_back(client: DICOMwebClient) -> None:
    ds = parsed()
    client.store_instances([ds])
    (frame,) = client.retrieve_instance_frames(*uids(ds), frame_numbers=[1])
    assert frame == ds.PixelData


def test_a_compressed_frame_comes_back_compressed(client: DICOMwebClient, reference_data: Path) -> None:
    ds = pydicom.dcmread(reference_data / "dicom" / "files" / "RG3_J2KR.dcm")
    client.store_instances([ds])
    media_types = (("image/jp2", "1.2.840.10008.1.2.4.90"),)
    (frame,) = client.retrieve_instance_frames(*uids(ds), frame_numbers=[1], media_types=media_types)
    assert frame.startswith(b"\xff\x4f\xff\x51")


def test_a_rendered_image_comes_back(client: DICOMwebClient) -> None:
    ds = parsed()
    client.store_instances([ds])
    png = client.retrieve_instance_rendered(*uids(ds), media_types=("image/png",))
    assert png.startswith(b"\x89PNG")


def test_a_search_filters_by_patient(client: DICOMwebClient) -> None:
    mine, other = parsed(), parsed(PatientID="P-2")
    client.store_instances([mine, other])
    found = client.search_for_studies(search_filters={"PatientID": "P-1"})
    assert [study["0020000D"]["Value"][0] for study in found] == [mine.StudyInstanceUID]
