"""STOW-RS over HTTP: what is stored, what is refused, and how both are told (PS3.18 section 10.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import RLELossless

from services.imaging.store import InstanceRow
from shared.auth import Role
from shared.digests import digest_bytes
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.radiographs import NATIVE, REPORT, encoded, gradient, multipart, radiograph
from tests.support.common import TestBed

REFERENCED, FAILED, REASON, RETRIEVE_URL = "00081199", "00081198", "00081197", "00081190"
SOP_INSTANCE = "00081155"


def refusal(answer: Any) -> dict[str, Any]:
    """The first error of a refusal, after checking that it is a problem document which says what to do."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    first: dict[str, Any] = body["errors"][0]
    assert first["problem"]
    assert first["fix"]
    return first


def reasons(answer: Any) -> list[int]:
    return [item[REASON]["Value"][0] for item in answer.json()[FAILED]["Value"]]


def test_a_stored_radiograph_is_referenced_in_the_answer(imaging: Imaging) -> None:
    ds = radiograph()
    answer = imaging.stow(encoded(ds))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    (item,) = answer.json()[REFERENCED]["Value"]
    assert item[SOP_INSTANCE]["Value"] == [ds.SOPInstanceUID]


def test_the_retrieve_url_of_the_answer_gives_the_instance(imaging: Imaging) -> None:
    answer = imaging.stow(encoded(radiograph()))
    url = answer.json()[REFERENCED]["Value"][0][RETRIEVE_URL]["Value"][0]
    got = imaging.client.get(url, headers={**imaging.bed.headers(Role.CLINICIAN), "Accept": "application/dicom"})
    assert got.status_code == 200


def test_the_bytes_are_kept_as_received(imaging: Imaging) -> None:
    file = encoded(radiograph())
    imaging.stow(file)
    (row,) = imaging.instances()
    assert row.digest == digest_bytes(file)
    assert imaging.content(row) == file


@pytest.mark.parametrize("transfer_syntax_uid", NATIVE)
def test_every_native_transfer_syntax_is_stored(imaging: Imaging, transfer_syntax_uid: Any) -> None:
    assert imaging.stow(encoded(radiograph(), transfer_syntax_uid)).status_code == 200


def test_native_transfer_syntaxes_of_one_image_render_alike(imaging: Imaging) -> None:
    imaging.stow(*(encoded(radiograph(), syntax) for syntax in NATIVE))
    urls = [f"/internal/imaging/evidence/{row.id}" for row in imaging.instances()]
    shown = {imaging.client.get(url, headers=imaging.bed.headers(Role.SERVICE)).json()["png"] for url in urls}
    assert (len(urls), len(shown)) == (len(NATIVE), 1)


def test_several_instances_are_stored_in_one_request(imaging: Imaging) -> None:
    answer = imaging.stow(*(encoded(radiograph()) for _ in range(3)))
    assert len(answer.json()[REFERENCED]["Value"]) == 3
    assert len(imaging.instances()) == 3


def test_an_unquoted_boundary_is_understood(imaging: Imaging) -> None:
    body, content_type = multipart(encoded(radiograph()), quoted=False)
    headers = {**imaging.bed.headers(Role.EHR_SYSTEM), **content_type}
    assert imaging.client.post("/dicomweb/studies", content=body, headers=headers).status_code == 200


def test_a_chunked_body_is_stored(imaging: Imaging) -> None:
    body, content_type = multipart(encoded(radiograph()))

    def chunks() -> Iterator[bytes]:
        yield from (body[at : at + 100] for at in range(0, len(body), 100))

    headers = {**imaging.bed.headers(Role.EHR_SYSTEM), **content_type}
    assert imaging.client.post("/dicomweb/studies", content=chunks(), headers=headers).status_code == 200
    assert len(imaging.instances()) == 1


def test_a_single_part_body_is_stored(imaging: Imaging) -> None:
    headers = {**imaging.bed.headers(Role.EHR_SYSTEM), "Content-Type": "application/dicom"}
    answer = imaging.client.post("/dicomweb/studies", content=encoded(radiograph()), headers=headers)
    assert answer.status_code == 200


def test_some_refused_is_202_and_lists_both(imaging: Imaging) -> None:
    good, bad = radiograph(), radiograph(SOPClassUID=REPORT)
    answer = imaging.stow(encoded(good), encoded(bad))
    assert answer.status_code == 202
    assert answer.json()[REFERENCED]["Value"][0][SOP_INSTANCE]["Value"] == [good.SOPInstanceUID]
    assert answer.json()[FAILED]["Value"][0][SOP_INSTANCE]["Value"] == [bad.SOPInstanceUID]


def test_not_a_dicom_file_is_refused(imaging: Imaging) -> None:
    answer = imaging.stow(b"%PDF-1.7 this is no radiograph")
    assert answer.status_code == 400
    assert refusal(answer)["field"] == "file"


@pytest.mark.parametrize("kept", [200, 700, -1, -1000])
def test_a_truncated_file_is_refused(imaging: Imaging, kept: int) -> None:
    answer = imaging.stow(encoded(radiograph())[:kept])
    assert answer.status_code in (400, 409)
    assert refusal(answer)["field"]
    assert imaging.instances() == []


def test_compressed_pixel_data_that_is_cut_off_is_told_as_such(imaging: Imaging) -> None:
    dataset = radiograph()
    dataset.compress(RLELossless, generate_instance_uid=False)
    answer = imaging.stow(encoded(dataset)[:-40])
    assert (answer.status_code, refusal(answer)["field"]) == (400, "PixelData")


def test_a_file_that_ends_in_a_sequence_is_not_told_of_its_pixel_data(imaging: Imaging) -> None:
    dataset = radiograph(ReferencedStudySequence=[Dataset()])
    dataset["ReferencedStudySequence"].is_undefined_length = True
    content = encoded(dataset)
    answer = imaging.stow(content[: content.index(b"\x08\x00\x10\x11SQ") + 16])
    assert (answer.status_code, refusal(answer)["field"]) == (400, "data set")


def test_a_value_representation_that_dicom_does_not_know_is_refused_by_element(imaging: Imaging) -> None:
    content = encoded(radiograph(StationName="WEST"))
    broken = content.replace(b"\x08\x00\x10\x10SH\x04\x00WEST", b"\x08\x00\x10\x10U\x00\x00\x00")
    assert broken != content
    answer = imaging.stow(broken)
    assert answer.status_code == 400
    assert refusal(answer)["field"] == "StationName"


def test_pixel_data_shorter_than_the_header_says_is_called_truncated(imaging: Imaging) -> None:
    answer = imaging.stow(encoded(radiograph(Rows=25)))
    assert answer.json()["type"] == "urn:consilium:problem:truncated-dicom"
    assert refusal(answer)["field"] == "PixelData"


def test_another_sop_class_is_refused(imaging: Imaging) -> None:
    answer = imaging.stow(encoded(radiograph(SOPClassUID=REPORT)))
    assert answer.status_code == 409
    assert refusal(answer)["field"] == "SOPClassUID"
    assert reasons(answer) == [0x0122]


def test_a_header_without_pixel_data_is_refused(imaging: Imaging) -> None:
    answer = imaging.stow(encoded(radiograph(PixelData=None)))
    assert answer.status_code == 409
    assert refusal(answer)["field"] == "PixelData"


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_identifier_is_named(imaging: Imaging, keyword: str, value: str | None) -> None:
    attributes: dict[str, Any] = {keyword: value}
    file = _without_sop_instance_uid(value) if keyword == "SOPInstanceUID" else encoded(radiograph(**attributes))
    answer = imaging.stow(file)
    assert answer.status_code == 409
    assert refusal(answer)["field"] == keyword


def _without_sop_instance_uid(value: str | None) -> bytes:
    ds = radiograph()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    if value is None:
        del ds.SOPInstanceUID
    else:
        ds.SOPInstanceUID = value
    return encoded(ds)


@pytest.mark.parametrize("shared", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_a_study_or_series_of_another_patient_is_refused(imaging: Imaging, shared: str) -> None:
    first = radiograph()
    imaging.stow(encoded(first))
    answer = imaging.stow(encoded(radiograph(PatientID="P-2", **{shared: first[shared].value})))
    assert answer.status_code == 409
    assert refusal(answer)["field"] == "PatientID"
    assert len(imaging.instances()) == 1


def test_two_patients_of_one_study_in_one_request_are_not_both_stored(imaging: Imaging) -> None:
    first = radiograph()
    second = radiograph(PatientID="P-2", StudyInstanceUID=first.StudyInstanceUID)
    assert imaging.stow(encoded(first), encoded(second)).status_code == 202
    assert len({row.patient for row in imaging.instances()}) == 1


def test_an_instance_of_another_study_than_the_url_names_is_refused(imaging: Imaging) -> None:
    answer = imaging.stow(encoded(radiograph()), study="1.2.3.4")
    assert answer.status_code == 409
    assert refusal(answer)["field"] == "StudyInstanceUID"
    assert reasons(answer) == [0xA901]


def test_an_instance_of_the_study_that_the_url_names_is_stored(imaging: Imaging) -> None:
    ds = radiograph()
    assert imaging.stow(encoded(ds), study=ds.StudyInstanceUID).status_code == 200


def test_the_same_instance_again_is_a_success_without_a_second_row_or_event(imaging: Imaging) -> None:
    file = encoded(radiograph())
    assert [imaging.stow(file).status_code for _ in range(3)] == [200, 200, 200]
    assert len(imaging.instances()) == 1
    assert [event["subtype"] for event in imaging.events()] == ["dicom-stored"]


def test_the_same_data_set_behind_other_file_meta_information_is_the_same_instance(imaging: Imaging) -> None:
    ds = radiograph()
    first = encoded(ds)
    ds.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    second = encoded(ds)
    assert first != second
    assert [imaging.stow(file).status_code for file in (first, second)] == [200, 200]
    assert len(imaging.instances()) == 1


def test_the_same_uids_with_other_content_are_refused_and_never_overwrite(imaging: Imaging) -> None:
    ds = radiograph()
    original = encoded(ds)
    imaging.stow(original)
    ds.PixelData = gradient()[::-1].tobytes()
    answer = imaging.stow(encoded(ds))
    assert answer.status_code == 409
    assert refusal(answer)["field"] == "SOPInstanceUID"
    (row,) = imaging.instances()
    assert row.digest == digest_bytes(original)


def test_the_event_of_other_content_commits_to_both_digests(imaging: Imaging) -> None:
    ds = radiograph()
    original = encoded(ds)
    imaging.stow(original)
    ds.PixelData = gradient()[::-1].tobytes()
    changed = encoded(ds)
    imaging.stow(changed)
    commit = imaging.app.state.runtime.events.pseudonyms.content
    event = imaging.events()[-1]
    assert event["object"]["digest"] == commit(digest_bytes(changed))
    assert event["details"]["stored"] == commit(digest_bytes(original))


def test_one_sop_instance_uid_in_two_series_is_two_instances(imaging: Imaging) -> None:
    first = radiograph()
    second = radiograph(SOPInstanceUID=first.SOPInstanceUID)
    assert imaging.stow(encoded(first), encoded(second)).status_code == 200
    assert len(imaging.instances()) == 2


@pytest.mark.parametrize(
    ("attributes", "status", "field"),
    [
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, 400, "PixelData"),
        ({"NumberOfFrames": 2}, 400, "PixelData"),
        ({"Rows": 65535, "Columns": 65535}, 409, "Rows"),
    ],
    ids=["colour announced, a third there", "two frames announced, one there", "too many pixels"],
)
def test_pixels_that_are_not_all_there_or_too_many_are_refused(
    imaging: Imaging, attributes: dict[str, Any], status: int, field: str
) -> None:
    answer = imaging.stow(encoded(radiograph(**attributes)))
    assert answer.status_code == status
    assert refusal(answer)["field"] == field


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"PhotometricInterpretation": "CMYK"}, "PhotometricInterpretation"),
        ({"BitsAllocated": 32, "Rows": 12}, "BitsAllocated"),
        ({"Rows": 0}, "Rows"),
        ({"WindowCenter": 1, "WindowWidth": 2, "VOILUTFunction": "CUBIC"}, "WindowCenter"),
    ],
    ids=["unknown colour", "32 bits", "no rows", "unknown VOI function"],
)
def test_what_cannot_be_shown_is_stored_and_said_so(imaging: Imaging, attributes: dict[str, Any], field: str) -> None:
    file = encoded(radiograph(**attributes))
    for _ in range(2):  # the same answer again
        answer = imaging.stow(file)
        assert answer.status_code == 202
        (item,) = answer.json()["00081199"]["Value"]
        assert item["00081196"]["Value"] == [0xB007]
        assert answer.headers["Warning"].startswith(f'299 consilium "{field}: ')
    (row,) = imaging.instances()
    assert row.quality_json()["cannotBeShown"].startswith(f"{field}: ")
    url = f"/studies/{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}"
    assert imaging.get(url, Accept="application/dicom").content == file
    assert imaging.get(f"{url}/rendered").status_code == 409


def test_when_nothing_is_stored_the_problem_holds_the_failed_sop_sequence_too(imaging: Imaging) -> None:
    ds = radiograph(SOPClassUID=REPORT)
    answer = imaging.stow(encoded(ds), Accept="application/dicom+json, */*;q=0.1")
    assert answer.headers["content-type"] == "application/problem+json"
    (item,) = answer.json()[FAILED]["Value"]
    assert item[SOP_INSTANCE]["Value"] == [ds.SOPInstanceUID]


def test_a_client_of_dicom_json_alone_is_answered_in_it(imaging: Imaging) -> None:
    answer = imaging.stow(encoded(radiograph(SOPClassUID=REPORT)), Accept="application/dicom+json")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/dicom+json")
    assert reasons(answer) == [0x0122]


@pytest.mark.parametrize(
    ("content_type", "body", "status", "field"),
    [
        ("application/json", b"{}", 415, "Content-Type"),
        ('multipart/related; type="application/dicom+json"; boundary=b', b"--b--", 415, "Content-Type"),
        ('multipart/related; type="application/dicom"', b"--b--", 400, "boundary"),
        ('multipart/related; type="application/dicom"; boundary=b', b"no boundary here", 400, "body"),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b\r\n\r\nDICM", 400, "body"),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b--", 400, "body"),
        ('multipart/related; type="application/dicom"; boundary=b', b"", 400, "body"),
    ],
    ids=["json", "metadata and bulk", "no boundary", "boundary absent", "cut off", "no parts", "empty"],
)
def test_a_request_that_is_no_store_message_is_told_so(
    imaging: Imaging, content_type: str, body: bytes, status: int, field: str
) -> None:
    headers = {**imaging.bed.headers(Role.EHR_SYSTEM), "Content-Type": content_type}
    answer = imaging.client.post("/dicomweb/studies", content=body, headers=headers)
    assert answer.status_code == status
    assert refusal(answer)["field"] == field


def test_a_body_beyond_the_limit_is_413(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, max_body_bytes=1000) as service:
        assert service.stow(encoded(radiograph())).status_code == 413


def test_a_deflated_bomb_is_refused(imaging: Imaging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.imaging.dicom.reading.MAX_INFLATED_BYTES", 10_000)
    file = encoded(radiograph(gradient(200, 200)), NATIVE[3])
    assert refusal(imaging.stow(file))["field"] == "TransferSyntaxUID"


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_not_store(imaging: Imaging, role: Role) -> None:
    assert imaging.stow(encoded(radiograph()), role=role).status_code == 403


def test_without_a_token_nothing_is_stored(imaging: Imaging) -> None:
    body, content_type = multipart(encoded(radiograph()))
    assert imaging.client.post("/dicomweb/studies", content=body, headers=content_type).status_code == 401
    assert imaging.instances() == []


def test_an_ingest_is_an_event_without_patient_data(imaging: Imaging) -> None:
    ds = radiograph()
    imaging.stow(encoded(ds))
    (event,) = imaging.events()
    assert (event["type"], event["subtype"], event["outcome"]) == ("ingest", "dicom-stored", "success")
    assert event["subjectRef"].startswith("pat-")
    written = str(event)
    assert not [value for value in ("P-1", "Doe", ds.StudyInstanceUID, ds.SOPInstanceUID) if value in written]


def test_a_refusal_is_an_event(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph(SOPClassUID=REPORT)))
    (event,) = imaging.events()
    assert (event["type"], event["outcome"], event["outcomeReason"]) == ("ingest", "refused", "unsupported-sop-class")


def test_a_request_without_an_instance_is_an_event_too(imaging: Imaging) -> None:
    headers = {**imaging.bed.headers(Role.EHR_SYSTEM), "Content-Type": "application/json"}
    imaging.client.post("/dicomweb/studies", content=b"{}", headers=headers)
    assert [event["outcome"] for event in imaging.events()] == ["refused"]


def test_the_row_says_what_the_header_says(imaging: Imaging) -> None:
    imaging.stow(encoded(radiograph()))
    (row,) = imaging.instances()
    told = (
        row.patient,
        row.patient_sex,
        row.patient_age_years,
        row.modality,
        row.body_part_examined,
        row.view_position,
    )
    assert told == ("P-1", "F", 64.0, "DX", "CHEST", "PA")
    assert (row.rows, row.columns) == (24, 32)


def test_many_senders_of_one_instance_store_it_once(imaging: Imaging) -> None:
    from concurrent.futures import ThreadPoolExecutor

    file = encoded(radiograph())
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: imaging.stow(file).status_code, range(12)))
    assert set(statuses) == {200}
    rows: list[InstanceRow] = imaging.instances()
    assert len(rows) == 1
    assert len(imaging.events()) == 1
