"""Rich text at the doors of the notes service."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.services.notes.cda.documents import cda
from tests.services.notes.conftest import make_note

RTF = r"{\rtf1\ansi Fi\'e8vre.\par No {\deleted fever}cough.}"
TEXT = "Fièvre.\nNo cough."


def test_the_words_of_rich_text_are_stored(client: TestClient) -> None:
    receipt = client.post("/notes", json=make_note(text=RTF, format="rtf"))
    assert receipt.status_code == 201
    assert client.get(receipt.headers["location"]).json()["text"] == TEXT


def test_the_same_words_as_plain_text_are_the_same_note(client: TestClient) -> None:
    first = client.post("/notes", json=make_note(text=RTF, format="rtf")).json()
    again = client.post("/notes", json=make_note(text=TEXT)).json()
    assert (again["duplicate"], again["id"]) == (True, first["id"])


def test_rich_text_may_be_longer_than_its_words(client: TestClient) -> None:
    picture = r"{\pict\pngblip " + "89504e47" * 2**18 + "}"
    receipt = client.post("/notes", json=make_note(text=RTF[:-1] + picture + "}", format="rtf"))
    assert receipt.status_code == 201


@pytest.mark.parametrize("text", [RTF[:-1], "{" * 5000, "Fever.", r"{\rtf1 “Fever”}", r"{\rtf1 }", r"{\rtf1\bin9 x}"])
def test_what_is_no_rich_text_is_refused(client: TestClient, text: str) -> None:
    answer: dict[str, Any] = client.post("/notes", json=make_note(text=text, format="rtf")).json()
    assert (answer["status"], [error["field"] for error in answer["errors"]]) == (422, ["text"])


def test_an_unstructured_cda_document_may_be_rich_text(client: TestClient) -> None:
    data = base64.b64encode(RTF.encode()).decode()
    body = f'<nonXMLBody><text mediaType="text/rtf" representation="B64">{data}</text></nonXMLBody>'
    receipt = client.post("/notes", content=cda(body), headers={"Content-Type": "application/xml"})
    assert client.get(receipt.headers["location"]).json()["text"] == TEXT
