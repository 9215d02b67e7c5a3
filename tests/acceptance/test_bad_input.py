"""Bad input gets a clear answer: a 4xx problem document that names field and fix; nothing is lost or half done."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydicom.uid import EncapsulatedPDFStorage

from services.diagnosis.ward.patient import WardPatient
from shared.auth import DevIssuer, Role
from tests.support.cases import Case, admit, dicom_bytes, dicom_copy, ndjson, send_vitals, stow
from tests.support.suite import RunningSuite

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def case(ward: NextPatient) -> Case:
    return Case.of(ward())


def assert_problem(answer: httpx.Response, field: str, *statuses: int) -> None:
    """A problem document that names the field and a fix."""
    assert answer.status_code in (statuses or (400, 409, 413, 415, 422)), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    errors = answer.json()["errors"]
    assert any(field.lower() in e["field"].lower() for e in errors), errors
    assert all(e["problem"] and e["fix"] for e in errors)


def _without(case: Case, keyword: str) -> bytes:
    dataset = dicom_copy(case.dataset)
    delattr(dataset, keyword)
    return dicom_bytes(dataset)


def _with(case: Case, **elements: Any) -> bytes:
    dataset = dicom_copy(case.dataset)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if "SOPClassUID" in elements:
        dataset.file_meta.MediaStorageSOPClassUID = elements["SOPClassUID"]
    return dicom_bytes(dataset)


def test_a_file_that_is_no_dicom(suite: RunningSuite) -> None:
    assert_problem(stow(suite.ehr, b"%PDF-1.7 this is no DICOM file" * 20), "file")


def test_a_truncated_dicom_file(suite: RunningSuite, case: Case) -> None:
    whole = dicom_bytes(case.dataset)
    is_deflated = case.dataset.file_meta.TransferSyntaxUID.is_deflated
    assert_problem(stow(suite.ehr, whole[: len(whole) // 2]), "deflated data set" if is_deflated else "PixelData")


def test_an_unsupported_sop_class(suite: RunningSuite, case: Case) -> None:
    assert_problem(stow(suite.ehr, _with(case, SOPClassUID=EncapsulatedPDFStorage)), "SOPClassUID")


def test_no_pixel_data(suite: RunningSuite, case: Case) -> None:
    assert_problem(stow(suite.ehr, _without(case, "PixelData")), "PixelData")


def test_a_study_of_another_patient(suite: RunningSuite, case: Case) -> None:
    assert stow(suite.ehr, dicom_bytes(case.dataset)).status_code == 200
    stranger = _with(case, PatientID="SOMEONE-ELSE", SOPInstanceUID="2.25.4711")
    assert_problem(stow(suite.ehr, stranger), "PatientID")


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_missing_identifier(suite: RunningSuite, case: Case, keyword: str) -> None:
    assert_problem(stow(suite.ehr, _without(case, keyword)), keyword)


def test_the_same_identifiers_with_other_pixels(suite: RunningSuite, case: Case) -> None:
    assert stow(suite.ehr, dicom_bytes(case.dataset)).status_code == 200
    other = case.with_pixels(case.dataset.pixel_array // 2)
    assert_problem(stow(suite.ehr, dicom_bytes(other.dataset)), "SOPInstanceUID")


def test_a_hundred_megabyte_note(suite: RunningSuite, case: Case) -> None:
    answer = suite.ehr.post("/notes", json={**case.note, "text": "a" * 100 * 2**20})
    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"text": "\x00\x01\x02GIF89a\x00\xff"}, "text", id="binary"),
        pytest.param({"text": "   "}, "text", id="empty text"),
        pytest.param({"type": "12345-6"}, "type", id="unknown LOINC"),
        pytest.param({"authored": "1970-01-01T00:00:00Z"}, "authored", id="1970"),
        pytest.param({"authored": "2999-01-01T00:00:00Z"}, "authored", id="future"),
        pytest.param({"authored": "2026-01-15T08:00:00"}, "authored", id="no zone"),
        pytest.param({"patient": ""}, "patient", id="no patient"),
        pytest.param({"colour": "blue"}, "colour", id="unknown field"),
    ],
)
def test_a_bad_note(suite: RunningSuite, case: Case, change: dict[str, str], field: str) -> None:
    assert_problem(suite.ehr.post("/notes", json={**case.note, **change}), field)


@pytest.mark.parametrize("path", ["/notes", "/diagnoses", "/consents"])
def test_malformed_json(suite: RunningSuite, path: str) -> None:
    answer = suite.clinician.post(path, content=b'{"patient": ', headers=JSON)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"value": float("nan")}, "value", id="NaN"),
        pytest.param({"value": "fast"}, "value", id="text"),
        pytest.param({"value": -5}, "value", id="impossible"),
        pytest.param({"code": "99999-9"}, "code", id="unknown LOINC"),
        pytest.param({"unit": "furlong"}, "unit", id="unknown UCUM"),
        pytest.param({"unit": "mm[Hg]"}, "unit", id="unit of another quantity"),
        pytest.param({"effective": "1970-01-01T00:00:00Z"}, "effective", id="1970"),
        pytest.param({"effective": (datetime.now(UTC) + timedelta(days=2)).isoformat()}, "effective", id="future"),
        pytest.param({"patient": ""}, "patient", id="no patient"),
    ],
)
def test_a_bad_sample_is_rejected_and_the_good_ones_stay(
    suite: RunningSuite, case: Case, change: dict[str, Any], reason: str
) -> None:
    good = {"patient": case.patient, "code": "8867-4", "value": 80, "unit": "/min", "effective": "2026-01-15T08:00:00Z"}
    answer = send_vitals(suite.ehr, [good, {**good, **change}]).raise_for_status().json()
    assert (answer["accepted"], len(answer["rejected"])) == (1, 1)
    assert answer["rejected"][0]["line"] == 2
    assert reason in json.dumps(answer["rejected"][0])
    again = send_vitals(suite.ehr, [good]).raise_for_status().json()
    assert (again["accepted"], again["duplicates"]) == (0, 1)


def test_nothing_but_bad_samples_is_a_4xx(suite: RunningSuite) -> None:
    assert_problem(
        suite.ehr.post("/vitals/samples", content=b"{]\n", headers={"Content-Type": "application/x-ndjson"}), "line"
    )


def test_an_unknown_patient(suite: RunningSuite) -> None:
    assert_problem(suite.clinician.post("/diagnoses", json={"patient": "NOBODY-AT-ALL"}), "patient", 404)


def test_no_evidence_at_that_time(suite: RunningSuite, case: Case) -> None:
    admit(suite, case)
    body = {"patient": case.patient, "asOf": "2001-01-01T00:00:00Z"}
    assert_problem(suite.clinician.post("/diagnoses", json=body), "asOf", 422)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"modalities": ["smell"]}, "modalities"),
        ({"modalities": []}, "modalities"),
        ({"priority": "asap"}, "priority"),
        ({"asOf": "yesterday"}, "asOf"),
        ({"asOf": "2999-01-01T00:00:00Z"}, "asOf"),
        ({"patient": None}, "patient"),
    ],
)
def test_a_bad_request_for_a_diagnosis(suite: RunningSuite, change: dict[str, Any], field: str) -> None:
    assert_problem(suite.clinician.post("/diagnoses", json={"patient": "P", **change}), field, 422)


def test_an_unknown_diagnosis(suite: RunningSuite) -> None:
    assert suite.clinician.get("/diagnoses/00000000-0000-7000-8000-000000000000").status_code == 404


PROTECTED = [
    ("POST", "/notes"),
    ("POST", "/vitals/samples"),
    ("POST", "/dicomweb/studies"),
    ("GET", "/dicomweb/studies"),
    ("POST", "/diagnoses"),
    ("GET", "/diagnoses/x"),
    ("POST", "/consents"),
    ("GET", "/models"),
    ("GET", "/audit/entries"),
    ("GET", "/audit/key"),
    ("GET", "/fhir/metadata"),
    ("GET", "/cds-services"),
    ("GET", "/metrics"),
    ("POST", "/internal/audit/events"),
    ("POST", "/internal/notes/evidence"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_without_a_token_every_door_is_shut(suite: RunningSuite, method: str, path: str) -> None:
    answer = httpx.request(method, suite.address + path, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_expired_token_and_a_stranger_s_token_are_refused(
    suite: RunningSuite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = DevIssuer(tmp_path_factory.mktemp("stranger"))
    stranger.create()
    expired = suite.data.issuer.mint(Role.CLINICIAN, now=datetime.now(UTC) - timedelta(days=2))
    for token in (expired, stranger.mint(Role.CLINICIAN), "garbage"):
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{suite.address}/diagnoses/x", headers=headers, trust_env=False)
        assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/audit/checkpoint", "/"])
def test_what_is_open_is_open(suite: RunningSuite, path: str) -> None:
    assert httpx.get(suite.address + path, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        (Role.AUDITOR, "POST", "/notes"),
        (Role.AUDITOR, "POST", "/diagnoses"),
        (Role.AUDITOR, "GET", "/diagnoses/x"),
        (Role.ADMIN, "GET", "/dicomweb/studies"),
        (Role.ADMIN, "GET", "/diagnoses/x"),
        (Role.CLINICIAN, "GET", "/audit/entries"),
        (Role.CLINICIAN, "POST", "/models/x/promote"),
        (Role.EHR_SYSTEM, "POST", "/internal/audit/events"),
    ],
)
def test_the_wrong_role_is_refused(suite: RunningSuite, role: Role, method: str, path: str) -> None:
    assert suite.client(role).request(method, path, content=ndjson([]), headers=JSON).status_code == 403
