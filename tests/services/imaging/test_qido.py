"""QIDO-RS: what is found, what is told of it, and what is not understood."""

from __future__ import annotations

from typing import Any

import pydicom
import pytest

from shared.auth import Role
from tests.services.imaging.conftest import Imaging
from tests.services.imaging.radiographs import encoded, radiograph

STUDY, SERIES, SOP = "0020000D", "0020000E", "00080018"


def stored(imaging: Imaging, **attributes: Any) -> pydicom.Dataset:
    ds = radiograph(**attributes)
    assert imaging.stow(encoded(ds)).status_code == 200
    return ds


def found(imaging: Imaging, url: str, tag: str) -> list[str]:
    answer = imaging.get(url)
    assert answer.status_code in (200, 204), answer.text
    return [] if answer.status_code == 204 else [model[tag]["Value"][0] for model in answer.json()]


def test_studies_are_listed_newest_first(imaging: Imaging) -> None:
    first, second = stored(imaging), stored(imaging)
    assert found(imaging, "/studies", STUDY) == [second.StudyInstanceUID, first.StudyInstanceUID]


def test_a_study_is_told_with_its_counts(imaging: Imaging) -> None:
    ds = stored(imaging)
    stored(imaging, StudyInstanceUID=ds.StudyInstanceUID, Modality="CR")
    (model,) = imaging.get("/studies").json()
    assert model["00080061"]["Value"] == ["CR", "DX"]
    assert (model["00201206"]["Value"], model["00201208"]["Value"]) == ([2], [2])
    assert model["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
    assert model["00081190"]["Value"][0].endswith(f"/dicomweb/studies/{ds.StudyInstanceUID}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("PatientID=P-1", 1),
        ("00100020=P-1", 1),
        ("PatientID=P-9", 0),
        ("PatientName=doe^jane", 1),
        ("PatientName=Doe*", 1),
        ("PatientName=*an?", 1),
        ("PatientName=%25", 0),
        ("StudyDate=20240131", 1),
        ("StudyDate=20240101-20240201", 1),
        ("StudyDate=20240201-", 0),
        ("StudyDate=-20240131", 1),
        ("AccessionNumber=A-7", 1),
        ("ModalitiesInStudy=DX", 1),
        ("ModalitiesInStudy=CT", 0),
        ("Modality=D*", 1),
        ("PatientID=P-1&StudyDate=20230101", 0),
        ("PatientID=", 1),
        ("fuzzymatching=true&includefield=all", 1),
        ("limit=0", 0),
        ("offset=1", 0),
    ],
)
def test_studies_match(imaging: Imaging, query: str, expected: int) -> None:
    stored(imaging)
    assert len(found(imaging, f"/studies?{query}", STUDY)) == expected


def test_uid_lists_match_any(imaging: Imaging) -> None:
    first, second = stored(imaging), stored(imaging)
    stored(imaging)
    query = f"StudyInstanceUID={first.StudyInstanceUID},{second.StudyInstanceUID}"
    assert len(found(imaging, f"/studies?{query}", STUDY)) == 2


def test_pages_follow_one_another(imaging: Imaging) -> None:
    wanted = [stored(imaging).StudyInstanceUID for _ in range(3)][::-1]
    pages = [found(imaging, f"/studies?limit=2&offset={offset}", STUDY) for offset in (0, 2)]
    assert [*pages[0], *pages[1]] == wanted


def test_series_and_instances_of_a_study(imaging: Imaging) -> None:
    ds = stored(imaging)
    stored(imaging)
    study = f"/studies/{ds.StudyInstanceUID}"
    assert found(imaging, f"{study}/series", SERIES) == [ds.SeriesInstanceUID]
    assert found(imaging, f"{study}/instances", SOP) == [ds.SOPInstanceUID]
    assert found(imaging, f"{study}/series/{ds.SeriesInstanceUID}/instances", SOP) == [ds.SOPInstanceUID]


@pytest.mark.parametrize(("level", "tag"), [("series", SERIES), ("instances", SOP)])
def test_series_and_instances_of_all_studies(imaging: Imaging, level: str, tag: str) -> None:
    ds = stored(imaging)
    assert found(imaging, f"/{level}?StudyInstanceUID={ds.StudyInstanceUID}", tag) == [ds[tag].value]


def test_nothing_found_is_204(imaging: Imaging) -> None:
    assert imaging.get("/studies").status_code == 204


def test_a_field_is_included_by_keyword_or_tag(imaging: Imaging) -> None:
    stored(imaging)
    (model,) = imaging.get("/studies?includefield=ViewPosition,00180015").json()
    assert (model["00185101"]["Value"], model["00180015"]["Value"]) == (["PA"], ["CHEST"])


@pytest.mark.parametrize(
    "query",
    [
        "InstitutionName=X",
        "NotAKeyword=1",
        "limit=x",
        "offset=-1",
        "StudyDate=2024-01",
        "StudyDate=2024*",
        "includefield=Nonsense",
    ],
)
def test_what_is_not_understood_is_400_and_lists_nobody(imaging: Imaging, query: str) -> None:
    stored(imaging)
    answer = imaging.get(f"/studies?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["fix"]


def test_a_search_is_an_event_per_patient_listed(imaging: Imaging) -> None:
    stored(imaging)
    stored(imaging, PatientID="P-2")
    imaging.get("/studies")
    reads = [event for event in imaging.events() if event["type"] == "read"]
    assert len({event["subjectRef"] for event in reads}) == 2
    assert {event["subtype"] for event in reads} == {"dicom-searched"}


def test_a_search_that_finds_nobody_is_an_event(imaging: Imaging) -> None:
    imaging.get("/studies?PatientID=P-1")
    (event,) = imaging.events()
    assert event["details"] == {"level": "studies", "matches": 0}


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_not_search(imaging: Imaging, role: Role) -> None:
    assert imaging.get("/studies", role).status_code == 403
