"""All HL7 v2 example messages beside this checkout: each is taken, or refused with the field that says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.services.notes.conftest import listening, notes_of, port_of
from tests.services.notes.hl7_messages import mdm
from tests.support.common import TestBed
from tests.support.mllp import code_of, faults_of, peer, read_ack

OTHER_TYPE = ("AR", ["MSH-9"])
EXPECTED: dict[str, tuple[str, list[str]] | None] = {
    **{f"ADT-A{n}-01.hl7": OTHER_TYPE for n in ("01", "03", "04", "08", "28")},
    "ADT-A40-01.hl7": None,  # MSH-15 and MSH-16 say NE: no answer is wanted
    "ADT01-23.hl7": OTHER_TYPE,
    "ADT04-28.hl7": OTHER_TYPE,
    "LAB-ORU-1.hl7": ("AR", ["OBX-2"]),  # blood counts, all NM
    "LRI_2.0-NG_CBC_Typ_Message.hl7": ("CR", ["OBR-4"]),  # comments in TX under a laboratory panel
    "MDM-T01-01.hl7": OTHER_TYPE,  # a notification without content
    "MDM-T02-01.hl7": ("AR", ["OBX-2"]),  # a reference (HD) and a PDF without data (ED)
    "MDM-T02-02.hl7": ("AA", []),
    "MDM-T06-01.hl7": ("AR", ["OBX-2"]),
    "MDM-T10-01.hl7": ("AR", ["OBX-2"]),
    "OMG-O19-01.hl7": OTHER_TYPE,
    "OML-O21-01.hl7": OTHER_TYPE,
    "ORM-O01-01.hl7": OTHER_TYPE,
    "ORM-O01-02.hl7": OTHER_TYPE,
    "ORM-O01-03.hl7": OTHER_TYPE,
    "ORU-R01-01.hl7": ("CR", ["OBX-2"]),  # codes, numbers, references
    "ORU-multiline-short.hl7": ("AR", ["OBR-4"]),  # an echocardiogram under a code of the site's own
    "OUL-R22-01.hl7": OTHER_TYPE,
    "OUL-R24-01.hl7": OTHER_TYPE,
    "PC1-Problem-Add-v2.3.1.hl7": OTHER_TYPE,
    "RDE-O11-01.hl7": OTHER_TYPE,
    "REF-I12-01.hl7": OTHER_TYPE,
    "SIU-S12-01.hl7": OTHER_TYPE,
    "VXU-V04-01.hl7": OTHER_TYPE,
    "sample_unix.hl7": ("AR", ["MSH-2"]),  # the escape character stands twice in MSH-2
}


@pytest.fixture
def door(bed: TestBed, database: str) -> Iterator[TestClient]:
    """A service that takes messages of training systems too, as many examples are."""
    with listening(bed, database, mllp_processing_ids="PT") as client:
        yield client


def test_every_example_is_expected(hl7v2_examples: Path) -> None:
    assert {path.name for path in hl7v2_examples.glob("*.hl7")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_is_answered_as_expected(hl7v2_examples: Path, door: TestClient, name: str) -> None:
    with peer(port_of(door)) as other:
        other.send((hl7v2_examples / name).read_bytes(), mdm(control_id="LAST", text="Sentinel."))
        ack = read_ack(other.receive())
        if (expected := EXPECTED[name]) is None:
            assert ack["MSA.F2"] == "LAST"
        else:
            refused = expected[0] != "AA"
            assert (code_of(ack), faults_of(ack) if refused else []) == expected
            assert read_ack(other.receive())["MSA.F2"] == "LAST"


def test_the_example_document_is_stored_as_its_segments_say(hl7v2_examples: Path, door: TestClient) -> None:
    with peer(port_of(door)) as other:
        other.ask((hl7v2_examples / "MDM-T02-02.hl7").read_bytes())
    (note,) = notes_of(door, "987654321")
    # TXA-6 200801311600+0215; TXA-2 DI (diagnostic imaging); two OBX of type TX.
    assert (note["authored"], note["type"]) == ("2008-01-31T13:45:00Z", "18748-4")
    first = "Toilet cylinder crackers model step-mother visor opening communication"
    second = "Columnist draft inn brown income ikebana circulation prince"
    assert note["text"] == f"{first}\n{second}"


def test_a_report_under_a_code_of_the_site_is_taken_once_the_code_is_mapped(
    hl7v2_examples: Path, bed: TestBed, database: str
) -> None:
    message = (hl7v2_examples / "ORU-multiline-short.hl7").read_bytes()
    site = {"document_codes": {"1487": "34099-2"}, "mllp_time_zone": "America/Toronto", "mllp_processing_ids": "PT"}
    with listening(bed, database, **site) as client:
        with peer(port_of(client)) as other:
            assert code_of(other.ask(message)) == "AA"
        (note,) = notes_of(client, "0d70c6c8")
    assert (note["type"], note["authored"]) == ("34099-2", "2020-08-02T16:44:55Z")
