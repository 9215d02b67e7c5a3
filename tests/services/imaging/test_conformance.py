"""The conformance statement says what the code does: its tables against the code's constants."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic_core import PydanticUndefined
from pydicom.charset import python_encoding
from pydicom.uid import UID
from pynetdicom import (
    AE,
    DEFAULT_TRANSFER_SYNTAXES,
    PYNETDICOM_IMPLEMENTATION_UID,
    PYNETDICOM_IMPLEMENTATION_VERSION,
)

from services.imaging import errors
from services.imaging.api import qido, stow
from services.imaging.dicom.syntaxes import ENCAPSULATED, SOP_CLASSES, TRANSFER_SYNTAXES
from services.imaging.dimse import commitment, peers, server
from services.imaging.errors import MalformedQuery, Refused
from services.imaging.search import MATCHED, condition
from services.imaging.settings import Settings
from services.imaging.usecases import commitment as commitments
from tests.services.imaging.conftest import Imaging
from tests.services.imaging.dimse.associations import VERIFICATION
from tests.support.common import PROJECT_ROOT

REFERENCE = PROJECT_ROOT / "docs" / "reference"


def tables(page: str, heading: str) -> list[list[list[str]]]:
    """The tables below a heading, without their head rows; cells without code marks."""
    text = (REFERENCE / page).read_text()
    level = heading.split(" ")[0]
    section = re.split(rf"(?m)^#{{1,{len(level)}}} ", text[text.index(f"\n{heading}\n") + len(heading) + 2 :])[0]
    found = re.findall(r"(?m)(?:^\|.*\n)+", section)
    return [[_cells(line) for line in table.splitlines()[2:]] for table in found]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")]


def statement(heading: str, number: int = 0) -> list[list[str]]:
    return tables("dicom-conformance.md", heading)[number]


def codes(table: list[list[str]]) -> set[int]:
    return {int(row[0], 16) for row in table}


def refusals() -> list[type[Refused]]:
    return [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, Refused)]


def test_sop_classes() -> None:
    listed = {row[1]: row[0] for row in statement("### 2.1 SOP classes")}
    assert set(listed) == {VERIFICATION, *SOP_CLASSES, commitment.SOP_CLASS}
    assert all(UID(uid).name == name.removesuffix(" (retired)") for uid, name in listed.items())


def test_what_is_listed_is_what_the_listener_negotiates() -> None:
    ae = server._application_entity(Settings(database_url="sqlite://"))
    offered = {str(cx.abstract_syntax): cx.transfer_syntax for cx in ae.supported_contexts}
    assert set(offered) == {row[1] for row in statement("### 2.1 SOP classes")}
    syntaxes = [row[1] for row in statement("### 2.2 Transfer syntaxes")]
    assert all(list(offered[uid]) == syntaxes for uid in SOP_CLASSES)
    # "Verification and storage commitment: …" of 2.2.
    assert {UID(uid).name for uid in offered[VERIFICATION]} == {UID(uid).name for uid in DEFAULT_TRANSFER_SYNTAXES}
    assert offered[commitment.SOP_CLASS] == offered[VERIFICATION]


def test_transfer_syntaxes_and_their_media_types() -> None:
    listed = statement("### 2.2 Transfer syntaxes")
    assert [row[1] for row in listed] == list(TRANSFER_SYNTAXES)
    assert all(UID(uid).name == name for name, uid, _ in listed)
    assert {uid: media for _, uid, media in listed if media != "application/octet-stream"} == ENCAPSULATED


def test_association_policies() -> None:
    listed = dict(statement("### 2.3 Association policies"))
    settings = Settings(database_url="sqlite://")
    assert listed["Application context"] == "1.2.840.10008.3.1.1.1"
    assert listed["Maximum PDU size received"] == f"{server.MAX_PDU_BYTES} bytes"
    assert listed["Associations at once"] == f"{settings.dimse_max_associations}, configurable"
    assert listed["Implementation class UID"] == AE().implementation_class_uid == PYNETDICOM_IMPLEMENTATION_UID
    assert listed["Implementation version name"] == PYNETDICOM_IMPLEMENTATION_VERSION
    assert listed["Time for an association to be requested after connecting"] == f"{server.ASSOCIATE_S:g} s"
    assert listed["Time that a peer may be silent"] == f"{settings.dimse_timeout_s:g} s, configurable"


def test_rejections() -> None:
    listed = [tuple(int(part) for part in row[0].split(",")) for row in statement("### 2.3 Association policies", 1)]
    assert listed[0] == peers.CALLING_TITLE_NOT_RECOGNISED
    # pynetdicom's own: PS3.8 table 9-21.
    assert listed[1:] == [(1, 1, 7), (2, 3, 2)]


def test_c_store_statuses() -> None:
    ours = {server.SUCCESS, server.STORED_WITH_WARNING, server.OUT_OF_RESOURCES, server.PROCESSING_FAILURE}
    reasons = {refusal.failure_reason for refusal in refusals()}
    assert codes(statement("### 2.4 Storage (C-STORE)")) == ours | reasons


def test_refusals_by_name() -> None:
    (listed,) = (t for t in tables("imaging.md", "## Why an instance is refused") if len(t[0]) == 3 and "-" in t[0][0])
    written = {row[0].split(" ")[0]: int(row[1], 16) for row in listed}
    named = [refusal for refusal in refusals() if refusal not in (Refused, errors.CannotBeShown)]
    assert written == {
        refusal.slug: 0xB007 if issubclass(refusal, errors.CannotBeShown) else refusal.failure_reason
        for refusal in named
    }


def test_storage_commitment() -> None:
    actions = {
        commitment.SUCCESS,
        commitment.PROCESSING_FAILURE,
        commitment.NO_SUCH_INSTANCE,
        commitment.INVALID_ARGUMENT,
        commitment.NO_SUCH_ACTION,
        commitment.RESOURCE_LIMITATION,
    }
    reasons = {
        commitments.PROCESSING_FAILURE,
        commitments.NO_SUCH_INSTANCE,
        commitments.CLASS_INSTANCE_CONFLICT,
        commitments.CLASS_NOT_SUPPORTED,
    }
    heading = "### 2.5 Storage commitment (N-ACTION, N-EVENT-REPORT)"
    assert codes(statement(heading)) == actions
    assert codes(statement(heading, 1)) == reasons
    text = (REFERENCE / "dicom-conformance.md").read_text()
    assert f"more than {commitment.MAX_REFERENCES} instances" in text
    assert str(commitment.SOP_INSTANCE) in text


def test_settings_and_their_defaults() -> None:
    listed = {row[0].lower(): row[1] for row in statement("## 4 Configuration")}
    assert listed == {name: _written(field.default) for name, field in Settings.model_fields.items()}


def _written(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    return "none" if default is None else str(default) if default not in ((), {}) else "empty"


def test_every_setting_is_explained_in_one_of_the_pages() -> None:
    text = "".join((REFERENCE / page).read_text() for page in ("imaging.md", "dicom-conformance.md"))
    assert [name for name in Settings.model_fields if name.upper() not in text] == []


def test_character_sets() -> None:
    listed = {term.strip() for row in statement("## 6 Character sets") for term in row[0].split(",")}
    # What pydicom knows beside the standard's terms are spellings that writers got wrong.
    assert listed == set(python_encoding) - {"", "ISO 2022 GBK", "ISO 2022 58"}


def test_store_statuses() -> None:
    listed = {int(row[0]) for row in statement("### 8.1 Store (STOW-RS)")}
    assert listed == {*stow._ANSWERS, 413}


def test_retrieve_resources(imaging: Imaging) -> None:
    one = "/studies/{study}/series/{series}/instances/{instance}"
    listed = "\n".join(row[0] for row in statement("### 8.2 Retrieve (WADO-RS)"))
    written = {
        "/studies/{study}",
        "/studies/{study}/series/{series}",
        one,
        f"{one}/frames/1",
        f"{one}/rendered",
        f"{one}/frames/1/rendered",
        "/studies/{study}/metadata",
        "/studies/{study}/series/{series}/metadata",
        f"{one}/metadata",
    }
    paths = imaging.client.get("/openapi.json").json()["paths"]
    retrieved = {
        path.removeprefix("/dicomweb").replace("{frames}", "1")
        for path, methods in paths.items()
        if path.startswith("/dicomweb") and "get" in methods and not path.endswith(("studies", "series", "instances"))
    }
    assert retrieved == written
    assert all(end in listed for end in ("…/metadata", "/frames/1", "/rendered"))


def test_searchable_attributes_and_their_matching() -> None:
    listed = dict(statement("### 8.3 Search (QIDO-RS)"))
    assert list(listed) == list(MATCHED)
    for keyword, matching in listed.items():
        assert ("range" in matching) == (">=" in _sql(keyword, "20240101-20240201")), keyword
        assert ("any case" in matching) == ("lower" in _sql(keyword, "20240101")), keyword
        if "range" in matching:
            with pytest.raises(MalformedQuery):
                condition(keyword, "2024*")
            continue
        assert ("list" in matching) == (" IN " in _sql(keyword, "1.2,1.3")), keyword
        assert ("wildcard" in matching) == ("LIKE" in _sql(keyword, "A*")), keyword


def _sql(keyword: str, value: str) -> str:
    return str(condition(keyword, value))


def test_attributes_told() -> None:
    listed = {row[0]: tuple(row[1].split(", ")) for row in statement("### 8.3 Search (QIDO-RS)", 2)}
    assert listed == {"studies": qido.STUDY, "series": qido.SERIES, "instances": qido.INSTANCE}


@pytest.mark.parametrize("page", ["imaging.md", "dicom-conformance.md"])
def test_the_two_pages_name_one_another(page: str) -> None:
    other = {"imaging.md": "dicom-conformance.md", "dicom-conformance.md": "imaging.md"}[page]
    assert f"]({other})" in (REFERENCE / page).read_text()
