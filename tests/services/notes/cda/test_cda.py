"""CDA documents over HTTP: what their narrative says is the note, or the answer names what is wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.notes.app import create_app
from services.notes.settings import Settings
from shared.auth import Role
from tests.services.notes.cda.documents import TEXT, cda
from tests.services.notes.conftest import NOW, events_of, make_note
from tests.support.common import TestBed

XML = {"Content-Type": "application/xml"}
Start = Callable[[str], TestClient]
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'


def test_narrative_of_the_sections_is_the_note(start: Start, any_database: str) -> None:
    client = start(any_database)
    receipt = client.post("/notes", content=cda(), headers=XML)
    assert receipt.status_code == 201, receipt.text
    note = client.get(receipt.headers["location"]).json()
    assert (note["patient"], note["authored"], note["type"]) == ("P-1001", "2026-03-14T08:30:00Z", "11506-3")
    assert note["text"] == TEXT
    assert client.post("/notes", content=cda(), headers=XML).status_code == 200


def test_author_of_the_header_is_found_in_the_text_and_the_clinic_is_not(client: TestClient) -> None:
    note = client.post("/notes", content=cda(), headers=XML).json()
    found = client.get(f"/notes/{note['id']}/analysis").json()
    assert [TEXT[i["start"] : i["end"]] for i in found["identifiers"]] == ["Xylander"]
    assert [(f["finding"], f["negated"]) for f in found["findings"]] == [
        ("fever", False),
        ("cough", False),
        ("wheeze", True),
        ("crackles", False),
        ("oedema", True),
    ]


@pytest.mark.parametrize("kind", ["text/xml", "application/cda", "application/cda+xml", "application/hl7-v3+xml"])
def test_other_names_of_the_format_are_read(client: TestClient, kind: str) -> None:
    assert client.post("/notes", content=cda(), headers={"Content-Type": kind}).status_code == 201


def test_document_in_another_encoding_is_read(client: TestClient) -> None:
    text = cda("<nonXMLBody><text>Fièvre</text></nonXMLBody>", prolog='<?xml version="1.0" encoding="ISO-8859-1"?>')
    receipt = client.post("/notes", content=text.encode("latin-1"), headers=XML)
    assert client.get(receipt.headers["location"]).json()["text"] == "Fièvre"


def test_unstructured_plain_text_is_read(client: TestClient) -> None:
    data = base64.b64encode(b"Fever.").decode()
    body = f'<nonXMLBody><text mediaType="text/plain" representation="B64">{data}</text></nonXMLBody>'
    receipt = client.post("/notes", content=cda(body), headers=XML)
    assert client.get(receipt.headers["location"]).json()["text"] == "Fever."


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("<", "body"),
        ("<html/>", "body"),
        (cda(prolog=BOMB), "body"),
        (cda(prolog=OUTSIDE), "body"),
        (cda(prolog='<?xml version="1.0" encoding="no-such"?>'), "body"),
        (cda("<structuredBody>" + "<component>" * 100 + "</component>" * 100 + "</structuredBody>"), "body"),
        (cda("<structuredBody/>"), "ClinicalDocument.component"),
        (cda("<x/>"), "ClinicalDocument.component"),
        (cda('<nonXMLBody><text mediaType="application/pdf">JVBE</text></nonXMLBody>'), "ClinicalDocument.component"),
        (cda('<nonXMLBody><text><reference value="x"/></text></nonXMLBody>'), "ClinicalDocument.component"),
        (cda('<nonXMLBody><text representation="B64">é</text></nonXMLBody>'), "ClinicalDocument.component"),
        (cda('<nonXMLBody><text representation="B64">/w==</text></nonXMLBody>'), "ClinicalDocument.component"),
        (cda('<nonXMLBody><text mediaType="text/rtf">{\\rtf1 x</text></nonXMLBody>'), "ClinicalDocument.component"),
        (cda(time=""), "ClinicalDocument.effectiveTime"),
        (cda(time='<effectiveTime value="20260314"/>'), "ClinicalDocument.effectiveTime"),
        (cda(code=""), "ClinicalDocument.code"),
        (cda(code='<code code="8867-4" codeSystem="2.16.840.1.113883.6.1"/>'), "ClinicalDocument.code"),
        (cda(patient=""), "ClinicalDocument.recordTarget"),
    ],
)
def test_document_that_is_no_note_names_what_is_wrong(client: TestClient, document: str, field: str) -> None:
    answer = client.post("/notes", content=document, headers=XML)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert events_of(client)[-1]["details"]["fields"] == [field]


def test_text_that_is_too_long_is_refused(bed: TestBed, database: str) -> None:
    settings = Settings(database_url=database, mllp_enabled=False, max_text_bytes=20)
    with TestClient(create_app(settings, bed.common, clock=lambda: NOW), headers=bed.headers(Role.CLINICIAN)) as client:
        assert client.post("/notes", content=cda(), headers=XML).status_code == 413


def test_code_of_the_site_is_mapped(bed: TestBed, database: str) -> None:
    settings = Settings(database_url=database, mllp_enabled=False, document_codes={"ECHO": "34099-2"})
    document = cda(code='<code code="ECHO" codeSystem="2.999.3"/>')
    with TestClient(create_app(settings, bed.common, clock=lambda: NOW), headers=bed.headers(Role.CLINICIAN)) as client:
        assert client.post("/notes", content=document, headers=XML).json()["type"] == "34099-2"


def test_code_can_only_be_mapped_to_a_document_type() -> None:
    with pytest.raises(ValueError, match="8867-4"):
        Settings(database_url="sqlite://", document_codes={"X": "8867-4"})


def test_document_in_json_must_be_of_the_patient_named_beside_it(client: TestClient) -> None:
    taken = client.post("/notes", json=make_note(patient="S-77", text=cda(), format="cda"))
    assert taken.status_code == 201, taken.text
    assert client.get(taken.headers["location"]).json()["text"] == TEXT
    refused = client.post("/notes", json=make_note(patient="P-2", text=cda(), format="cda"))
    assert [error["field"] for error in refused.json()["errors"]] == ["patient"]


def test_encoding_that_a_text_declares_is_no_longer_true(client: TestClient) -> None:
    prolog = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    document = cda("<nonXMLBody><text>Fièvre</text></nonXMLBody>", prolog=prolog)
    receipt = client.post("/notes", json=make_note(text=document, format="cda"))
    assert client.get(receipt.headers["location"]).json()["text"] == "Fièvre"


EXAMPLES: dict[str, tuple[int, str]] = {
    "Diagnostic_Imaging_Report.ccda": (201, "18748-4"),
    "Discharge_Summary.ccda": (201, "18842-5"),
    "Progress_Note.ccda": (201, "11506-3"),
    "Unstructured_Document_embed.ccda": (422, "ClinicalDocument.component"),  # a PDF
}


@pytest.fixture(scope="module")
def examples(reference_data: Path) -> Path:
    directory = reference_data / "interop" / "cda"
    if not directory.is_dir():
        pytest.skip("the CDA examples are not beside this checkout (../shared/data/interop/cda)")
    assert {path.name for path in directory.iterdir()} == set(EXAMPLES)
    return directory


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_taken_or_refused_as_expected(client: TestClient, examples: Path, name: str) -> None:
    answer = client.post("/notes", content=(examples / name).read_bytes(), headers=XML)
    said = answer.json()["type"] if answer.is_success else answer.json()["errors"][0]["field"]
    assert (answer.status_code, said) == EXAMPLES[name]
