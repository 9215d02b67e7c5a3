"""Real clinical texts go in and come out character by character."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from tests.services.notes.conftest import make_note


@pytest.fixture(scope="module")
def notes_data(reference_data: Path) -> Path:
    directory = reference_data / "notes"
    if not directory.is_dir():
        pytest.skip("the real notes are not beside this checkout (../shared/data/notes)")
    return directory


def column(path: Path, name: str) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from (row[name] for row in csv.DictReader(file))


def sections(data: Path) -> Iterator[str]:
    yield from column(data / "mts-dialog" / "MTS-Dialog-ValidationSet.csv", "section_text")


def visit_notes(data: Path) -> Iterator[str]:
    yield from column(data / "aci-bench" / "valid.csv", "note")
    yield from column(data / "aci-bench" / "train.csv", "note")


def spanish_notes(data: Path) -> Iterator[str]:
    for path in sorted((data / "nubes-es").glob("*.txt")):
        yield path.read_text(encoding="utf-8")


def chest_reports(data: Path) -> Iterator[str]:
    for path in sorted((data / "open-i").rglob("*.xml")):
        root = ElementTree.parse(path).getroot()  # noqa: S314  # files of the reference data, not of a sender
        found = (element.text for element in root.iter("AbstractText"))
        # Some of the published reports have no words at all.
        if report := "\n".join(text for text in found if text):
            yield report


@pytest.mark.parametrize("source", [sections, visit_notes, spanish_notes, chest_reports])
def test_real_texts_are_taken_verbatim(client: TestClient, notes_data: Path, source: object) -> None:
    texts = list(source(notes_data))  # type: ignore[operator]  # the functions above
    assert texts
    for text in texts:
        receipt = client.post("/notes", json=make_note(text=text))
        assert receipt.status_code in (200, 201), receipt.text
        assert client.get(f"/notes/{receipt.json()['id']}").json()["text"] == text
