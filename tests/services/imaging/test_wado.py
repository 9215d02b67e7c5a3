"""WADO-RS: instances, metadata, frames and renderings, and the event that each of them leaves."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from shared.auth import Role
from tests.services.imaging.conftest import Imaging
from tests.services.imaging.radiographs import NATIVE, encoded, gradient, radiograph

EXPLICIT = "1.2.840.10008.1.2.1"
MULTIPART = 'multipart/related; type="application/dicom"'


def url_of(ds: pydicom.Dataset) -> str:
    return f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"


def stored(imaging: Imaging, syntax: Any = NATIVE[1], **attributes: Any) -> pydicom.Dataset:
    ds = radiograph(**attributes)
    assert imaging.stow(encoded(ds, syntax)).status_code == 200
    return ds


def shown(answer: Any) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    with Image.open(BytesIO(answer.content)) as image:
        return np.asarray(image)


def test_an_instance_comes_back_byte_for_byte(imaging: Imaging) -> None:
    ds = radiograph()
    file = encoded(ds)
    imaging.stow(file)
    answer = imaging.get(url_of(ds), Accept="application/dicom")
    assert answer.headers["content-type"] == "application/dicom"
    assert answer.content == file


def test_no_foreign_preamble_leaves_the_house(imaging: Imaging) -> None:
    ds = radiograph()
    file = b"MZ\x90" + bytes(125) + encoded(ds)[128:]
    imaging.stow(file)
    answer = imaging.get(url_of(ds), Accept="application/dicom")
    assert answer.content == bytes(128) + file[128:]


@pytest.mark.parametrize("accept", [MULTIPART, MULTIPART + "; transfer-syntax=*", "*/*"])
def test_a_study_comes_back_as_multipart(imaging: Imaging, accept: str) -> None:
    ds = stored(imaging)
    stored(imaging, StudyInstanceUID=ds.StudyInstanceUID)
    answer = imaging.get(f"/studies/{ds.StudyInstanceUID}", Accept=accept)
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom"')
    assert answer.content.count(b"DICM") == 2


@pytest.mark.parametrize("syntax", [NATIVE[0], NATIVE[2], NATIVE[3]])
def test_explicit_little_endian_is_made_where_it_is_asked_for(imaging: Imaging, syntax: Any) -> None:
    ds = stored(imaging, syntax)
    answer = imaging.get(url_of(ds), Accept=f"application/dicom; transfer-syntax={EXPLICIT}")
    back = pydicom.dcmread(BytesIO(answer.content))
    assert back.file_meta.TransferSyntaxUID == EXPLICIT
    assert np.array_equal(back.pixel_array, gradient())


def test_a_compressed_instance_is_decompressed_where_that_is_asked_for(imaging: Imaging) -> None:
    values = gradient(96, 96)
    ds = pydicom.dcmread(BytesIO(encoded(radiograph(values))))
    ds.compress("1.2.840.10008.1.2.4.90", generate_instance_uid=False)
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    assert imaging.stow(stream.getvalue()).status_code == 200
    answer = imaging.get(url_of(ds), Accept=f"application/dicom; transfer-syntax={EXPLICIT}")
    assert np.array_equal(pydicom.dcmread(BytesIO(answer.content)).pixel_array, values)


@pytest.mark.parametrize("accept", ["image/tiff", 'application/dicom; transfer-syntax="1.2.840.10008.1.2.4.80"'])
def test_a_form_that_cannot_be_made_is_406(imaging: Imaging, accept: str) -> None:
    ds = stored(imaging)
    assert imaging.get(url_of(ds), Accept=accept).status_code == 406


@pytest.mark.parametrize("end", ["", "/metadata", "/rendered", "/frames/1"])
def test_what_is_not_stored_is_404(imaging: Imaging, end: str) -> None:
    ds = radiograph()
    assert imaging.get(url_of(ds) + end).status_code == 404


def test_a_path_that_is_no_uid_is_refused(imaging: Imaging) -> None:
    assert imaging.get("/studies/..%2f..%2fetc/metadata").status_code in (404, 422)
    assert imaging.get("/studies/x'--/metadata").status_code == 422


@pytest.mark.parametrize("level", [0, 2, 4])
def test_metadata_hold_the_header_and_no_pixels(imaging: Imaging, level: int) -> None:
    ds = stored(imaging)
    url = "/".join(url_of(ds).split("/")[: 3 + level])
    answer = imaging.get(f"{url}/metadata")
    assert answer.headers["content-type"] == "application/dicom+json"
    (model,) = answer.json()
    assert model["00100020"]["Value"] == ["P-1"]
    assert model["00280010"]["Value"] == [24]
    assert "7FE00010" not in model


def test_a_frame_comes_back_uncompressed(imaging: Imaging) -> None:
    ds = stored(imaging, NATIVE[2])
    answer = imaging.get(url_of(ds) + "/frames/1", Accept='multipart/related; type="application/octet-stream"')
    assert gradient().astype("<u2").tobytes() in answer.content


def three_frames(imaging: Imaging) -> tuple[str, np.ndarray[Any, Any]]:
    values = np.concatenate([gradient() // 2**number for number in range(3)])
    ds = radiograph(values, NumberOfFrames=3, Rows=24, WindowCenter=2048, WindowWidth=4096)
    assert imaging.stow(encoded(ds)).status_code == 200
    return url_of(ds), values.reshape(3, 24, 32)


@pytest.mark.parametrize("end", ["/frames/2", "/frames/0", "/frames/2/rendered"])
def test_a_frame_beyond_the_last_is_404(imaging: Imaging, end: str) -> None:
    answer = imaging.get(url_of(stored(imaging)) + end)
    assert answer.status_code == 404
    assert "1 to 1" in answer.json()["detail"]


@pytest.mark.parametrize("frames", ["a", "1,,2", "1,2-3", "-1", "9" * 5000])
def test_a_malformed_frame_list_is_named(imaging: Imaging, frames: str) -> None:
    answer = imaging.get(f"{url_of(stored(imaging))}/frames/{frames}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "frames"


def test_several_frames_come_in_the_order_asked_for(imaging: Imaging) -> None:
    url, values = three_frames(imaging)
    answer = imaging.get(f"{url}/frames/3,1", Accept='multipart/related; type="application/octet-stream"')
    third, first = (answer.content.find(values[index].tobytes()) for index in (2, 0))
    assert 0 < third < first
    assert answer.content.find(values[1].tobytes()) == -1


def test_every_frame_is_rendered_by_its_number(imaging: Imaging) -> None:
    url, values = three_frames(imaging)
    for number in (1, 2, 3):
        image = shown(imaging.get(f"{url}/frames/{number}/rendered", Accept="image/png"))
        assert np.abs(image.astype(int) - values[number - 1] / 4095 * 255).max() < 1.5
    assert imaging.get(f"{url}/frames/1,2/rendered", Accept="image/png").status_code == 406


def test_a_frame_of_an_enhanced_object_has_its_own_window(imaging: Imaging) -> None:
    def group(center: int) -> pydicom.Dataset:
        window, frame = pydicom.Dataset(), pydicom.Dataset()
        window.WindowCenter, window.WindowWidth = center, 100
        frame.FrameVOILUTSequence = [window]
        return frame

    values = np.full((48, 32), 1000, np.uint16)
    per_frame = [group(2000), group(100)]
    ds = radiograph(values, NumberOfFrames=2, Rows=24, PerFrameFunctionalGroupsSequence=per_frame)
    imaging.stow(encoded(ds))
    seen = [shown(imaging.get(f"{url_of(ds)}/frames/{number}/rendered", Accept="image/png")) for number in (1, 2)]
    assert [image.max() for image in seen] == [0, 255]


def test_the_rendering_is_8_bit_and_dark_where_the_image_is(imaging: Imaging) -> None:
    ds = stored(imaging, WindowCenter=2048, WindowWidth=4096)
    image = shown(imaging.get(url_of(ds) + "/rendered", Accept="image/png"))
    assert image.shape == (24, 32)
    assert (image[0, 0], image[-1, -1]) == (0, 255)


def test_monochrome1_is_rendered_inverted(imaging: Imaging) -> None:
    ds = stored(imaging, PhotometricInterpretation="MONOCHROME1")
    image = shown(imaging.get(url_of(ds) + "/rendered", Accept="image/png"))
    assert (image[0, 0], image[-1, -1]) == (255, 0)


def test_a_jpeg_is_given_by_default(imaging: Imaging) -> None:
    answer = imaging.get(url_of(stored(imaging)) + "/rendered")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")


def test_a_large_image_is_rendered_in_full(imaging: Imaging) -> None:
    ds = stored(imaging, pixels=gradient(700, 600))
    assert shown(imaging.get(url_of(ds) + "/rendered", Accept="image/png")).shape == (700, 600)


@pytest.mark.parametrize(
    ("viewport", "shape"), [("600,350", (350, 300)), ("100,100", (100, 86)), ("9000,9000", (700, 600))]
)
def test_a_viewport_is_fitted(imaging: Imaging, viewport: str, shape: tuple[int, int]) -> None:
    ds = stored(imaging, pixels=gradient(700, 600))
    answer = imaging.get(f"{url_of(ds)}/rendered?viewport={viewport}", Accept="image/png")
    assert shown(answer).shape == shape


@pytest.mark.parametrize(("window", "first"), [("1000,10,linear", 0), ("-5000,10,linear-exact", 255)])
def test_a_clients_window_is_used(imaging: Imaging, window: str, first: int) -> None:
    ds = stored(imaging)
    answer = imaging.get(f"{url_of(ds)}/rendered?window={window}", Accept="image/png")
    assert shown(answer)[0, 0] == first


@pytest.mark.parametrize(
    "query", ["viewport=0,9", "viewport=a", "window=1", "window=1,0,linear", "window=1,2,cubic", "window=nan,2"]
)
def test_a_malformed_view_is_named(imaging: Imaging, query: str) -> None:
    answer = imaging.get(f"{url_of(stored(imaging))}/rendered?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.split("=")[0]


def test_a_rendering_of_another_type_is_406(imaging: Imaging) -> None:
    assert imaging.get(url_of(stored(imaging)) + "/rendered", Accept="video/mpeg").status_code == 406


@pytest.mark.parametrize(
    ("end", "subtype"),
    [
        ("", "dicom-retrieved"),
        ("/metadata", "dicom-metadata-read"),
        ("/rendered", "dicom-rendered"),
        ("/frames/1", "dicom-frame-read"),
    ],
)
def test_every_read_is_an_event_of_that_patient_and_instance(imaging: Imaging, end: str, subtype: str) -> None:
    ds = stored(imaging)
    imaging.get(url_of(ds) + end)
    ingest, read = imaging.events()
    assert (read["type"], read["subtype"], read["action"]) == ("read", subtype, "R")
    assert read["subjectRef"] == ingest["subjectRef"]
    assert read["object"]["id"] == imaging.instances()[0].id


def test_a_study_read_is_one_event_that_names_all_instances(imaging: Imaging) -> None:
    ds = stored(imaging)
    stored(imaging, StudyInstanceUID=ds.StudyInstanceUID)
    imaging.get(f"/studies/{ds.StudyInstanceUID}")
    (read,) = [event for event in imaging.events() if event["type"] == "read"]
    assert sorted(read["details"]["instances"]) == sorted(row.id for row in imaging.instances())


def test_no_read_leaves_without_its_event(imaging: Imaging, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = stored(imaging)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the outbox is gone")

    monkeypatch.setattr("shared.outbox.add", fails)
    imaging.client.raise_server_exceptions = False  # type: ignore[attr-defined]
    transport = imaging.client._transport
    transport.raise_server_exceptions = False  # type: ignore[attr-defined]
    answer = imaging.get(url_of(ds), Accept="application/dicom")
    assert answer.status_code == 500
    assert b"DICM" not in answer.content


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
@pytest.mark.parametrize("end", ["", "/metadata", "/rendered", "/frames/1"])
def test_other_roles_may_not_read(imaging: Imaging, role: Role, end: str) -> None:
    assert imaging.get(url_of(radiograph()) + end, role).status_code == 403


def test_patient_data_may_not_be_cached(imaging: Imaging) -> None:
    assert "no-store" in imaging.get(url_of(stored(imaging)) + "/rendered").headers["cache-control"]
