"""Attachments in other formats, and those that another FHIR server holds, on a real socket."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from services.ehr.fhir.html_text import html_to_text
from shared.auth import write_secret
from tests.services.ehr.fhir.test_documents import document
from tests.support.common import make_test_bed
from tests.support.ehr_neighbours import Door, open_door
from tests.support.servers import serve

TOKEN = "made-up-token"
URL = "DocumentReference.content[0].attachment.url"


def inline(content: bytes, kind: str, **changes: Any) -> dict[str, Any]:
    """A DocumentReference with these bytes inline."""
    return document(attachment={"contentType": kind, "data": base64.b64encode(content).decode()}, **changes)


def test_html_is_read_as_its_words(door: Door) -> None:
    html = (
        "<html><head><title>x</title><style>p{}</style></head><body><p>Fever &amp; <b>cough</b>.</p><ul><li>Rales</ul>"
    )
    assert door.post("/fhir/DocumentReference", inline(html.encode(), "text/html")).status_code == 201
    assert [note["text"] for note in door.ward.notes.values()] == ["Fever & cough.\n- Rales"]


def test_html_that_is_broken_gives_the_words_that_it_has() -> None:
    assert html_to_text("<script>x()</script><table><tr><td>CRP<td>12</tr></table><p>Fever") == "CRP12\nFever"


def test_text_in_the_stated_charset_is_read(door: Door) -> None:
    door.post("/fhir/DocumentReference", inline("Fièvre".encode("cp1252"), "text/plain; charset=windows-1252"))
    assert [note["text"] for note in door.ward.notes.values()] == ["Fièvre"]


def test_a_cda_document_is_handed_on_as_one(door: Door) -> None:
    xml = '<?xml version="1.0" encoding="ISO-8859-1"?><ClinicalDocument>Fièvre</ClinicalDocument>'
    assert door.post("/fhir/DocumentReference", inline(xml.encode("latin-1"), "text/xml")).status_code == 201
    assert [(note["text"], note["format"]) for note in door.ward.notes.values()] == [(xml, "cda")]


@pytest.mark.parametrize("kind", ["text/rtf", "application/rtf"])
def test_rich_text_is_handed_on_byte_by_byte(door: Door, kind: str) -> None:
    rtf = b"{\\rtf1\\ansi Fi\xe8vre \\'e9}"
    answer = door.post("/fhir/DocumentReference", inline(rtf, kind))
    assert answer.status_code == 201
    assert [(note["text"], note["format"]) for note in door.ward.notes.values()] == [(rtf.decode("latin-1"), "rtf")]
    assert base64.b64decode(answer.json()["content"][0]["attachment"]["data"]) == rtf


def test_names_beside_the_text_are_handed_on(door: Door) -> None:
    people: dict[str, Any] = {
        "subject": {"identifier": {"value": "P-1"}, "display": "Zoe Quux"},
        "author": [{"display": "Dr. Roe"}],
    }
    contained = [{"resourceType": "Practitioner", "id": "a", "name": [{"family": "Smitty", "given": ["Gerald"]}]}]
    door.post("/fhir/DocumentReference", document(**people, contained=contained))
    assert [note["names"] for note in door.ward.notes.values()] == [["Zoe Quux", "Dr. Roe", "Gerald Smitty"]]


def test_a_reference_is_not_followed_unless_a_base_is_configured(door: Door) -> None:
    answer = door.post("/fhir/DocumentReference", referring("Binary/plain"))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == [URL]


def referring(url: str, kind: str = "text/plain") -> dict[str, Any]:
    """A DocumentReference whose attachment is elsewhere."""
    return document(attachment={"contentType": kind, "url": url, "data": None})


class Elsewhere:
    """A FHIR server with a few Binary resources, and what it was asked."""

    def __init__(self) -> None:
        self.app, self.asked = FastAPI(), list[tuple[str, str | None]]()
        self.app.get("/fhir/Binary/{name}")(self._binary)
        self.app.get("/other/{name}")(self._binary)

    def _binary(self, name: str, request: Request) -> Response:
        self.asked.append((request.url.path, request.headers.get("authorization")))
        if name == "resource":
            body = f'{{"resourceType": "Binary", "data": "{base64.b64encode(b"Fever.").decode()}"}}'
            return Response(body, media_type="application/fhir+json")
        if name == "moved":
            return Response(status_code=302, headers={"Location": "/other/plain"})
        if name == "busy":
            return Response(status_code=503)
        if name == "slow":
            return StreamingResponse(_drip(), media_type="text/plain")
        if name == "plain":
            return Response("Fever.", media_type="text/plain")
        return Response("x" * 5000, media_type="text/plain") if name == "large" else Response(status_code=404)


def _drip() -> Iterator[bytes]:
    for _ in range(40):
        yield b"x"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, Elsewhere, str]]:
    """The ehr service with the base of another server, which has a token."""
    directory: Path = tmp_path_factory.mktemp("ehr")
    write_secret(directory / "token", TOKEN)
    bed, elsewhere = make_test_bed(directory), Elsewhere()
    with serve(elsewhere.app) as url:
        own = {
            "attachment_base_url": f"{url}/fhir",
            "attachment_token_file": directory / "token",
            "attachment_max_bytes": 1000,
            "attachment_timeout_s": 1.0,
        }
        with open_door(bed, bed.sqlite("ehr"), own=own) as door:
            yield door, elsewhere, url


@pytest.fixture
def there(places: tuple[Door, Elsewhere, str]) -> tuple[Door, Elsewhere, str]:
    """The same, with nothing stored or asked yet."""
    places[0].empty()
    places[1].asked.clear()
    return places


@pytest.mark.parametrize("name", ["plain", "resource"])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_binary_of_the_configured_server_is_read(
    there: tuple[Door, Elsewhere, str], name: str, absolute: bool
) -> None:
    door, elsewhere, base = there
    url = f"{base}/fhir/Binary/{name}" if absolute else f"Binary/{name}"
    assert door.post("/fhir/DocumentReference", referring(url)).status_code == 201
    assert [note["text"] for note in door.ward.notes.values()] == ["Fever."]
    assert elsewhere.asked == [(f"/fhir/Binary/{name}", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/fhir/Binary/plain",
        "http://user@127.0.0.1/fhir/Binary/plain",
        "file:///etc/passwd",
        "Binary/../Patient/1",
        "Binary/..",
        "Binary/plain?x=1",
        "Patient/1",
        "//127.0.0.1/Binary/plain",
        "{base}/other/plain",
        "{base}/fhir.example.org/Binary/plain",
    ],
)
def test_nothing_but_its_binaries_is_asked_for(there: tuple[Door, Elsewhere, str], url: str) -> None:
    door, elsewhere, base = there
    answer = door.post("/fhir/DocumentReference", referring(url.replace("{base}", base)))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == [URL]
    assert elsewhere.asked == []


@pytest.mark.parametrize("name", ["moved", "large", "gone"])
def test_what_cannot_be_had_is_refused(there: tuple[Door, Elsewhere, str], name: str) -> None:
    door, elsewhere, _ = there
    answer = door.post("/fhir/DocumentReference", referring(f"Binary/{name}"))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == [URL]
    # A redirect is not followed, so that the token goes nowhere else.
    assert [path for path, _ in elsewhere.asked] == [f"/fhir/Binary/{name}"]
    assert TOKEN not in answer.text


@pytest.mark.parametrize("name", ["busy", "slow"])
def test_what_cannot_be_had_now_may_be_sent_again(there: tuple[Door, Elsewhere, str], name: str) -> None:
    assert there[0].post("/fhir/DocumentReference", referring(f"Binary/{name}")).status_code == 503


def test_size_and_hash_hold_for_what_was_fetched(there: tuple[Door, Elsewhere, str]) -> None:
    body = referring("Binary/plain")
    body["content"][0]["attachment"]["size"] = 7
    answer = there[0].post("/fhir/DocumentReference", body)
    assert answer.json()["issue"][0]["expression"] == ["DocumentReference.content[0].attachment.size"]
