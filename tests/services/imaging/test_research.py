"""The research door: consent, what leaves, what waits for a person, and what the log says of all that."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
import typer
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from services.audit.app import create_app as create_audit
from services.imaging.app import create_app
from services.imaging.cli import export_research
from services.imaging.dicom.render import Display
from services.imaging.domain import Region
from services.imaging.settings import Settings
from services.suite.servers import free_port
from shared.auth import Role
from shared.database import migrate
from tests.services.audit.support import settings_of
from tests.services.imaging.conftest import Imaging, started
from tests.services.imaging.radiographs import CR, encoded, gradient, radiograph
from tests.support.common import TestBed, make_test_bed
from tests.support.servers import serve

SEED = "Quartermain"


def nothing(image: Display) -> Sequence[Region]:
    """A finder that finds none."""
    return []


@dataclass
class Research:
    """An imaging service beside a real audit service."""

    imaging: Imaging
    audit_url: str
    bed: TestBed

    def consent(self, decision: str, purpose: str = "HRESCH", **more: Any) -> Any:
        body = {"patient": "P-1", "decision": decision, "purpose": purpose, "modalities": ["image"], **more}
        answer = httpx.post(f"{self.audit_url}/consents", json=body, headers=self.bed.headers(Role.CLINICIAN))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def stored(self, **attributes: Any) -> Dataset:
        ds = radiograph(PatientName=SEED, PatientComments=SEED, **attributes)
        assert self.imaging.stow(encoded(ds)).status_code in (200, 202)
        return ds

    def export(self, ds: Dataset, role: Role = Role.RESEARCHER) -> Any:
        body = {"study": ds.StudyInstanceUID}
        return self.imaging.client.post("/research/exports", json=body, headers=self.bed.headers(role))

    def waiting(self) -> list[dict[str, Any]]:
        answer = self.imaging.client.get("/research/reviews", headers=self.bed.headers(Role.CLINICIAN))
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def decide(self, id_: str, role: Role = Role.CLINICIAN, **body: Any) -> Any:
        return self.imaging.client.post(f"/research/reviews/{id_}", json=body, headers=self.bed.headers(role))


@pytest.fixture
def research(tmp_path: Path, migrated: Path) -> Iterator[Research]:
    port = free_port()
    bed = make_test_bed(tmp_path, audit_url=f"http://127.0.0.1:{port}")
    migrate(bed.sqlite("audit"), "audit")
    (tmp_path / "imaging.db").write_bytes(migrated.read_bytes())
    audit = create_audit(settings_of(bed), bed.common)
    with serve(audit, port) as url, started(bed, bed.sqlite("imaging"), dimse_enabled=False) as imaging:
        imaging.app.state.find_text = nothing
        yield Research(imaging, url, bed)


def opened(answer: Any) -> tuple[dict[str, pydicom.Dataset], dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        files: dict[str, pydicom.Dataset] = {
            name: pydicom.dcmread(BytesIO(archive.read(name))) for name in manifest["exported"]
        }
        assert {*files, "manifest.json"} == set(archive.namelist())
        return files, manifest


def test_without_consent_to_research_nothing_leaves(research: Research) -> None:
    ds = research.stored()
    research.consent("permit", "TREAT")
    answer = research.export(ds)
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:consilium:problem:no-research-consent"
    research.consent("permit")
    assert research.export(ds).status_code == 200
    research.consent("deny")
    assert research.export(ds).status_code == 403


def test_consent_to_treatment_is_none_to_research(research: Research) -> None:
    ds = research.stored()
    research.consent("permit", "TREAT")
    assert research.export(ds).status_code == 403


def test_after_a_withdrawal_nothing_leaves_any_more(research: Research) -> None:
    ds = research.stored()
    given = research.consent("permit")
    assert research.export(ds).status_code == 200
    url = f"{research.audit_url}/consents/{given['id']}/withdraw"
    assert httpx.post(url, headers=research.bed.headers(Role.CLINICIAN)).status_code == 200
    assert research.export(ds).status_code == 403


def test_a_consent_may_be_for_some_researchers_alone(research: Research) -> None:
    ds = research.stored()
    research.consent("permit", actors=[{"subject": "dr-hill"}])
    found = []
    for subject in ("dr-hill", "dr-lake"):
        headers = research.bed.headers(Role.RESEARCHER, subject)
        body = {"study": ds.StudyInstanceUID}
        found.append(research.imaging.client.post("/research/exports", json=body, headers=headers).status_code)
    assert found == [200, 403]


def test_nobody_who_can_be_asked_for_consent_is_no_consent(imaging: Imaging) -> None:
    ds = radiograph()
    imaging.stow(encoded(ds))
    headers = imaging.bed.headers(Role.RESEARCHER)
    answer = imaging.client.post("/research/exports", json={"study": ds.StudyInstanceUID}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:consilium:problem:consent-unknown")


def test_a_study_leaves_without_its_patient_and_the_same_each_time(research: Research) -> None:
    research.consent("permit")
    first = research.stored()
    research.stored(StudyInstanceUID=first.StudyInstanceUID)
    answer = research.export(first)
    files, manifest = opened(answer)
    assert len(files) == 2
    assert manifest["withheld"] == []
    assert SEED.encode() not in answer.content
    assert len({ds.StudyInstanceUID for ds in files.values()}) == 1
    for name, ds in files.items():
        assert name == f"{ds.SOPInstanceUID}.dcm"
        assert np.array_equal(ds.pixel_array, gradient())
        assert ds.PatientIdentityRemoved == "YES"
        assert "P-1" not in str(ds)
    assert research.export(first).content == answer.content


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "header-says-so"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "not-a-single-radiograph"),
        (
            {"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3, "PlanarConfiguration": 0, "Rows": 8},
            "not-a-single-radiograph",
        ),
        ({"NumberOfFrames": 2, "Rows": 12, "SOPClassUID": CR}, "not-a-single-radiograph"),
    ],
    ids=["the header says so", "a secondary capture", "colour", "several frames"],
)
def test_what_may_show_its_patient_waits_for_a_person(
    research: Research, attributes: dict[str, Any], reason: str
) -> None:
    research.consent("permit")
    ds = research.stored(**attributes)
    answer = research.export(ds)
    assert answer.status_code == 409
    assert answer.json()["withheld"] == {"waiting": 1}
    (item,) = research.waiting()
    assert item["reason"] == reason
    assert research.imaging.get(item["rendered"].removeprefix("/dicomweb")).status_code == 200
    assert research.decide(item["id"], decision="cleared").json()["state"] == "cleared"
    files, _ = opened(research.export(ds))
    (out,) = files.values()
    assert out.BurnedInAnnotation == "NO"
    assert "113101" in [code.CodeValue for code in out.DeidentificationMethodCodeSequence]
    assert research.waiting() == []


def test_without_a_finder_every_image_waits(research: Research) -> None:
    research.imaging.app.state.find_text = None
    research.consent("permit")
    assert research.export(research.stored()).status_code == 409
    assert research.waiting()[0]["reason"] == "no-text-finder"


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_found_text_is_blanked_where_a_person_says_so(research: Research, photometric: str) -> None:
    research.imaging.app.state.find_text = lambda image: [Region(2, 3, 8, 4)]
    research.consent("permit")
    ds = research.stored(PhotometricInterpretation=photometric)
    assert research.export(ds).status_code == 409
    (item,) = research.waiting()
    assert item["regions"] == [{"x": 2, "y": 3, "width": 8, "height": 4}]
    assert research.decide(item["id"], decision="blanked", regions=item["regions"]).status_code == 200
    (out,) = opened(research.export(ds))[0].values()
    expected = gradient()
    expected[3:7, 2:10] = 0 if photometric == "MONOCHROME2" else 4095
    assert np.array_equal(out.pixel_array, expected)
    assert out.BurnedInAnnotation == "NO"


def test_the_command_line_puts_each_study_into_a_folder_of_its_own(research: Research, tmp_path: Path) -> None:
    first, second = research.stored(), research.stored(BurnedInAnnotation="YES")
    research.consent("permit")
    token = research.bed.issuer.mint(Role.RESEARCHER)
    app = typer.Typer()
    app.command()(export_research)
    settings = Settings(database_url=research.bed.sqlite("imaging"), dimse_enabled=False)
    door = create_app(settings, research.bed.common)
    door.state.find_text = nothing
    with serve(door) as url:
        command = [first.StudyInstanceUID, second.StudyInstanceUID, "--into", str(tmp_path / "out")]
        done = CliRunner().invoke(app, [*command, "--url", url, "--token", token])
    assert done.exit_code == 1
    assert "1/2: 1 instances, 0 left out" in done.output
    assert "2/2: nothing exported" in done.output
    (folder,) = (tmp_path / "out").iterdir()
    (file,) = folder.glob("*.dcm")
    assert pydicom.dcmread(file).StudyInstanceUID == folder.name != first.StudyInstanceUID


def test_what_a_person_withholds_or_nobody_can_see_stays_and_the_rest_leaves(research: Research) -> None:
    research.consent("permit")
    first = research.stored(BurnedInAnnotation="YES")
    research.stored(StudyInstanceUID=first.StudyInstanceUID)
    research.stored(StudyInstanceUID=first.StudyInstanceUID, PhotometricInterpretation="CMYK")
    research.export(first)
    research.decide(research.waiting()[0]["id"], decision="withheld")
    files, manifest = opened(research.export(first))
    assert len(files) == 1
    assert sorted(item["reason"] for item in manifest["withheld"]) == ["cannot-be-shown", "withheld"]


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "blanked"},
        {"decision": "cleared", "regions": [{"x": 0, "y": 0, "width": 1, "height": 1}]},
        {"decision": "blanked", "regions": [{"x": -1, "y": 0, "width": 1, "height": 1}]},
        {"decision": "maybe"},
    ],
)
def test_a_malformed_decision_is_refused(research: Research, body: dict[str, Any]) -> None:
    assert research.decide("any", **body).status_code == 422


def test_a_region_that_would_blank_nothing_is_refused(research: Research) -> None:
    research.consent("permit")
    research.export(research.stored(BurnedInAnnotation="YES"))
    (item,) = research.waiting()
    region = {"x": 30, "y": 0, "width": 8, "height": 8}
    answer = research.decide(item["id"], decision="blanked", regions=[region])
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "regions.0"
    assert len(research.waiting()) == 1


def test_an_image_that_nobody_asked_for_cannot_be_decided(research: Research) -> None:
    assert research.decide("0198c0de-0000-7000-8000-000000000000", decision="cleared").status_code == 404


def test_who_asked_and_who_decided_is_in_the_log(research: Research) -> None:
    ds = research.stored(BurnedInAnnotation="YES")
    research.export(ds)
    research.consent("permit")
    research.export(ds)
    research.decide(research.waiting()[0]["id"], decision="cleared")
    research.export(ds)
    told = [event for event in research.imaging.events() if event["type"] in ("delivery", "feedback")]
    assert [(event["subtype"], event["outcome"], event["outcomeReason"]) for event in told] == [
        ("dicom-deidentified", "refused", "no-research-consent"),
        ("dicom-deidentified", "refused", "nothing-to-export"),
        ("burned-in-text-decided", "success", None),
        ("dicom-deidentified", "success", None),
    ]
    assert {event["purposeOfUse"] for event in told} == {"HRESCH"}
    assert told[0]["consent"]["decision"] == "deny"
    assert told[3]["actor"]["role"] == "researcher"
    assert told[2]["actor"]["role"] == "clinician"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.RESEARCHER])
def test_other_roles_may_not_export(research: Research, role: Role) -> None:
    assert research.export(radiograph(), role).status_code == 403


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.ADMIN, Role.AUDITOR, Role.EHR_SYSTEM])
def test_other_roles_may_not_review(research: Research, role: Role) -> None:
    assert research.decide("any", role, decision="cleared").status_code == 403
    assert research.imaging.client.get("/research/reviews", headers=research.bed.headers(role)).status_code == 403


def test_a_researcher_sees_nothing_that_has_a_patient(research: Research) -> None:
    ds = research.stored()
    for url in (f"/studies/{ds.StudyInstanceUID}", "/studies", f"/studies/{ds.StudyInstanceUID}/metadata"):
        assert research.imaging.get(url, Role.RESEARCHER).status_code == 403
