"""What identifies somebody is found, and nothing of medicine is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.diagnosis.ward.generate import generate_patient
from services.notes.clinical.identifiers.detection import find_identifiers
from services.notes.clinical.identifiers.span import mask


def found_in(text: str, *known: str) -> list[tuple[str, str]]:
    return [(one.kind.value, text[one.start : one.end]) for one in find_identifiers(text, known)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Seen by Dr. Okonkwo today.", [("name", "Okonkwo")]),
        ("Mr. J. Smith denies pain. Smith's wife agrees.", [("name", "J. Smith"), ("name", "Smith's")]),
        ("Patient: Garcia, Maria L.", [("name", "Garcia, Maria L")]),
        ("Signed: Anna Kowalski, MD", [("name", "Anna Kowalski")]),
        ("Martha Collins is a 50-year-old female.", [("name", "Martha Collins")]),
        ("Bruce Ward is a pleasant, 60-year-old male.", [("name", "Bruce Ward")]),
        ("Mr. Joseph Fisher was a 59 y/o man.", [("name", "Joseph Fisher")]),
        ("Maria Okonkwo denies fever.", [("name", "Maria Okonkwo")]),
        ("Results were discussed at length with Ewa Rostami today.", [("name", "Ewa Rostami")]),
        ("Admitted 03/14/2026, seen 14 March 2026.", [("date", "03/14/2026"), ("date", "14 March 2026")]),
        ("DOB 1956-02-29.", [("date", "1956-02-29")]),
        ("MRN: 00482913, acct #A77-2041.", [("number", "00482913"), ("number", "A77-2041")]),
        ("SSN 078-05-1120", [("number", "078-05-1120")]),
        ("Call (412) 555-0182 or +44 20 7946 0958.", [("phone", "(412) 555-0182"), ("phone", "+44 20 7946 0958")]),
        ("bleep: none; pager 55512", [("phone", "55512")]),
        ("Mail j.roe@example.org", [("email", "j.roe@example.org")]),
        ("Lives at 221 Baker Street, Boston, MA 02118.", [("address", "221 Baker Street, Boston, MA 02118")]),
    ],
)
def test_identifier_is_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert found_in(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, HR 90, SpO2 94 %, 3/7 of cough, GCS 15/15, 5/5 strength, 3/6 murmur.",
        "Graves disease, Crohn's, Parkinson disease, Murphy sign, Foley catheter, Bell's palsy.",
        "Creatinine 1.2 mg/dL, WBC 14.2, 40 mg daily, 1000 ml, CT slice 2.5 mm, nodule 12 x 14 mm.",
        "Patient Denies chest pain. Patient: Well. PATIENT HISTORY: Cough. May repeat 3 times daily.",
        "72-year-old man. Chest X-ray: clear. ST elevation in V1-V4. C5-C6 disc. T2DM since 2010.",
        "Atrial Fibrillation is rate controlled. Diabetes Mellitus was diagnosed. Mitral Valve has prolapsed.",
        "Discussed with Internal Medicine. Spoke to Infectious Disease. Bone Scan was normal, Liver Function is good.",
        "History of heart failure. No acute distress. In no apparent pain. Vitamin B12 1000 mcg.",
    ],
)
def test_medicine_is_no_identifier(text: str) -> None:
    assert found_in(text) == []


def test_what_came_beside_the_text_is_found_in_it() -> None:
    text = "Xylander, p-1001, was seen. His fever fell."
    assert found_in(text, "XYLANDER", "P-1001", "Al") == [("name", "Xylander"), ("number", "p-1001")]


@given(st.text(alphabet="Dr. Smith\n03/14/2026 é,MRN: 12345678", max_size=120))
def test_masking_moves_nothing_and_keeps_lines(text: str) -> None:
    masked = mask(text, find_identifiers(text))
    assert len(masked) == len(text)
    assert [i for i, c in enumerate(masked) if c == "\n"] == [i for i, c in enumerate(text) if c == "\n"]
    assert all(new in (old, " ") for new, old in zip(masked, text, strict=True))


@pytest.mark.parametrize("unit", ["Dr. ", "Aa ", "1", "12 ", "a@", "+1", "A1 ", "3 A ", "May ", "Patient: "])
def test_text_that_repeats_itself_is_read_to_its_end(unit: str) -> None:
    text = (unit * 2**16)[: 2**16] + "\nSSN 078-05-1120"
    assert find_identifiers(text)[-1].end == len(text)


def test_nothing_in_the_wards_notes_is_an_identifier_but_its_one_signature() -> None:
    texts = [generate_patient(4711, index).note.text for index in range(200)]
    found = [(text, one) for text in texts for one in find_identifiers(text)]
    assert {text[one.start : one.end] for text, one in found} == {"J. Okafor"}
    # What the shipped bundle reads of all other notes is what it was trained on, byte for byte.
    assert len(found) < 0.1 * len(texts)
