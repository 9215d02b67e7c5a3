"""The requests that the OHIF viewer sends (its DICOMweb data source) and what it reads of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.radiographs import encoded, gradient, radiograph
from tests.support.common import TestBed

J2K_LOSSLESS = "1.2.840.10008.1.2.4.90"
LIST = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060"
# What OHIF must find in the metadata to show an image (its FAQ, "technical").
NEEDED = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation",
)  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def service(request: pytest.FixtureRequest, bed: TestBed) -> Iterator[Imaging]:
    """An imaging service on either database."""
    name = {"sqlite": "database_url", "postgres": "postgres_imaging_url"}[request.param]
    with started(bed, request.getfixturevalue(name), dimse_enabled=False) as imaging:
        yield imaging


def stored(imaging: Imaging, **attributes: Any) -> pydicom.Dataset:
    ds = radiograph(**{"StudyDescription": "Thorax p.a.", **attributes})
    assert imaging.stow(encoded(ds)).status_code == 200
    return ds


def value(model: dict[str, Any], keyword: str) -> Any:
    tag = pydicom.datadict.tag_for_keyword(keyword)
    return model[f"{tag:08X}"]["Value"][0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 1),
        ("&PatientName=*doe*", 1),
        ("&PatientName=*roe*", 0),
        ("&00100020=*P-1*", 1),
        ("&AccessionNumber=*A-*", 1),
        ("&StudyDescription=*thorax*", 1),
        ("&StudyDescription=*knee*", 0),
        ("&StudyDescription=Thorax%20p.a.", 1),
        ("&ModalitiesInStudy=CR%2CDX", 1),
        ("&ModalitiesInStudy=CR%5CDX", 1),
        ("&ModalitiesInStudy=CT%2CMR", 0),
        ("&StudyDate=20240101-20240201", 1),
    ],
)
def test_the_work_list_filters(service: Imaging, query: str, expected: int) -> None:
    stored(service)
    answer = service.get(f"/studies?{LIST}{query}", Accept="application/dicom+json")
    assert answer.status_code == (200 if expected else 204), answer.text
    assert len(answer.json() if expected else []) == expected


def test_a_study_without_a_description_is_not_found_by_one(service: Imaging) -> None:
    ds = radiograph()
    service.stow(encoded(ds))
    assert service.get(f"/studies?{LIST}&StudyDescription=*x*").status_code == 204
    assert service.get(f"/studies?{LIST}").status_code == 200


def test_a_number_that_json_cannot_hold_spoils_neither_search_nor_metadata(service: Imaging) -> None:
    ds = radiograph(StudyDescription="Thorax", AcquisitionDuration=float("nan"))
    assert service.stow(encoded(ds)).status_code == 200
    assert service.get(f"/studies?{LIST}&StudyDescription=*thorax*").status_code == 200
    assert service.get(f"/studies/{ds.StudyInstanceUID}/metadata").status_code == 200


def test_the_work_list_shows_description_modality_and_count(service: Imaging) -> None:
    stored(service)
    (model,) = service.get(f"/studies?{LIST}").json()
    assert value(model, "StudyDescription") == "Thorax p.a."
    assert (value(model, "ModalitiesInStudy"), value(model, "NumberOfStudyRelatedInstances")) == ("DX", 1)


def test_a_study_is_opened_by_its_series_and_their_metadata(service: Imaging) -> None:
    ds = stored(service)
    study = f"/studies/{ds.StudyInstanceUID}"
    fields = "includefield=00080021%2C00080031%2C0008103E%2C00200011"
    (series,) = service.get(f"{study}/series?{fields}", Accept="application/dicom+json").json()
    uid = value(series, "SeriesInstanceUID")
    (model,) = service.get(f"{study}/series/{uid}/metadata", Accept="application/dicom+json").json()
    assert [value(model, keyword) for keyword in NEEDED] == [
        ds[keyword].value if keyword in ds else None for keyword in NEEDED
    ]


def compressed_radiograph() -> tuple[pydicom.Dataset, bytes]:
    ds = pydicom.dcmread(BytesIO(encoded(radiograph(gradient(96, 96)))))
    ds.compress(J2K_LOSSLESS, generate_instance_uid=False)
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return ds, stream.getvalue()


def frame_url(ds: pydicom.Dataset) -> str:
    study, series = ds.StudyInstanceUID, ds.SeriesInstanceUID
    return f"/studies/{study}/series/{series}/instances/{ds.SOPInstanceUID}/frames/1"


def test_a_frame_comes_as_it_is_stored_in_multipart(imaging: Imaging) -> None:
    ds, file = compressed_radiograph()
    imaging.stow(file)
    answer = imaging.get(frame_url(ds), Accept="multipart/related; type=application/octet-stream; transfer-syntax=*")
    assert answer.headers["content-type"].startswith('multipart/related; type="image/jp2"')
    assert f"Content-Type: image/jp2; transfer-syntax={J2K_LOSSLESS}".encode() in answer.content


@pytest.mark.parametrize(
    ("accept", "syntax", "start"),
    [
        ("application/octet-stream", "1.2.840.10008.1.2.1", gradient(96, 96).tobytes()[:64]),
        ("image/jp2", J2K_LOSSLESS, b"\xff\x4f\xff\x51"),
        ("image/jp2, application/octet-stream;q=0.1", J2K_LOSSLESS, b"\xff\x4f\xff\x51"),
    ],
)
def test_a_frame_comes_as_a_single_part_where_that_is_accepted(
    imaging: Imaging, accept: str, syntax: str, start: bytes
) -> None:
    ds, file = compressed_radiograph()
    imaging.stow(file)
    answer = imaging.get(frame_url(ds), Accept=accept)
    assert answer.headers["content-type"] == f"{accept.split(',')[0]}; transfer-syntax={syntax}"
    assert answer.content.startswith(start)


def test_a_rendering_takes_window_and_viewport_together(imaging: Imaging) -> None:
    ds = radiograph(gradient(700, 600))
    imaging.stow(encoded(ds))
    url = f"{frame_url(ds)}/rendered?window=2048,4096,linear&viewport=300,300"
    with Image.open(BytesIO(imaging.get(url, Accept="image/png").content)) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (300, 257)
    assert pixels[0, 0] < 3
    assert pixels[-1, -1] > 252


@pytest.mark.parametrize("end", ["/studies", "/studies/{study}/metadata"])
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/dicom+json", "application/dicom+json"),
        ("application/json", "application/json"),
        ("*/*", "application/dicom+json"),
        ('multipart/related; type="application/dicom+xml", application/dicom+json;q=0.5', "application/dicom+json"),
    ],
)
def test_json_comes_under_the_name_that_is_accepted(imaging: Imaging, end: str, accept: str, media_type: str) -> None:
    ds = stored(imaging)
    answer = imaging.get(end.format(study=ds.StudyInstanceUID), Accept=accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize("end", ["/studies", "/studies/{study}/metadata"])
def test_xml_alone_is_406_and_no_read(imaging: Imaging, end: str) -> None:
    ds = stored(imaging)
    xml = 'multipart/related; type="application/dicom+xml"'
    assert imaging.get(end.format(study=ds.StudyInstanceUID), Accept=xml).status_code == 406
    assert [event["type"] for event in imaging.events()] == ["ingest"]


def test_fuzzy_matching_that_is_not_done_is_told(imaging: Imaging) -> None:
    stored(imaging)
    answer = imaging.get("/studies?fuzzymatching=true&PatientName=doe*")
    assert answer.headers["warning"] == (
        '299 consilium "The fuzzymatching parameter is not supported. Only literal matching has been performed."'
    )
    assert "warning" not in imaging.get("/studies?fuzzymatching=false").headers


@pytest.mark.parametrize(
    ("limit", "offset", "more"), [(2, 0, 1), (1, 1, 1), (1, 0, 2), (3, 0, 0), (2, 1, 0), (9, 0, 0)]
)
def test_results_that_were_left_out_are_counted(imaging: Imaging, limit: int, offset: int, more: int) -> None:
    for _ in range(3):
        stored(imaging)
    answer = imaging.get(f"/studies?limit={limit}&offset={offset}")
    told = answer.headers.get("warning", "")
    assert told == (f'299 consilium "There are {more} additional results that can be requested"' if more else "")
