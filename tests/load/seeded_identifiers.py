"""Invented identifiers in real sentences that hold none: what identifies somebody, and where, is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from xml.etree import ElementTree

from tests.services.notes.clinical.negex import read_half

FIRST = (
    "James", "Maria", "Ngozi", "Wei", "Fatima", "Olga", "Priya", "Lars", "Chidi", "Aoife", "Mateusz", "Yuki",
    "Thandiwe", "Carlos", "Emily", "Ahmed", "Ingrid", "Kwame", "Leila", "Robert", "Susan", "Hiroshi", "Ewa", "Dmitri",
    "Rosa", "Samuel", "Amara", "Giulia", "Tom", "Nkechi",
)  # fmt: skip
LAST = (
    "Smith", "Okonkwo", "Zhang", "Al-Sayed", "Petrova", "Ramanathan", "Lindqvist", "O'Brien", "Kowalczyk", "Tanaka",
    "Dlamini", "Fernandez", "Johnson", "Haddad", "Bergstrom", "Mensah", "Rostami", "Williams", "Nakamura", "Wojcik",
    "Volkov", "Delgado", "Cohen", "Eze", "Rossi", "Baker", "Nguyen", "Muller", "Garcia", "Patel",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class Seeded:
    """A text with one identifier at [start, end)."""

    text: str
    start: int
    end: int
    kind: str


def _name(random: Random) -> tuple[str, str]:
    return random.choice(FIRST), random.choice(LAST)


def _cued(random: Random) -> str:
    first, last = _name(random)
    return random.choice(
        [
            f"Seen by Dr. <{last}>.", f"Mr. <{last}> returns today.", f"Mrs. <{first} {last}> was admitted.",
            f"Patient: <{last}, {first}>", f"Signed: <{first} {last}>, MD", f"Discussed with Dr. <{first} {last}>.",
            f"Attending: <{first} {last}>", f"Electronically signed by <{first} {last}>, RN",
        ]
    )  # fmt: skip


def _uncued(random: Random) -> str:
    first, last = _name(random)
    forms = ("<{}> is doing well.", "We saw <{}> this morning.", "Reviewed with <{}> and family.")
    return random.choice(forms).format(f"{first} {last}")


def _lone(random: Random) -> str:
    return random.choice(("<{}> is doing well.", "We saw <{}> this morning.")).format(random.choice(FIRST))


def _date(random: Random) -> str:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1930, 2026)
    name = MONTHS[month - 1]
    written = random.choice(
        [
            f"{month:02}/{day:02}/{year}",
            f"{day}.{month}.{year}",
            f"{year}-{month:02}-{day:02}",
            f"{month}/{day}/{year % 100:02}",
            f"{name} {day}, {year}",
            f"{day} {name[:3]} {year}",
            f"{day}-{name[:3]}-{year}",
            f"{name} {day}",
        ]
    )
    return random.choice(("Admitted on <{}>.", "DOB <{}>.", "Last visit: <{}>.")).format(written)


def _number(random: Random) -> str:
    digits = "".join(random.choices("0123456789", k=8))
    return random.choice(
        [
            f"MRN: <{digits}>",
            f"MRN <{digits[:7]}>.",
            f"SSN <{digits[:3]}-{digits[3:5]}-{digits[4:]}>",
            f"Account #<A{digits}>",
            f"Accession <{digits[:2]}-CT-{digits[2:6]}>",
            f"NHS number <{digits[:3]} {digits[3:6]} {digits[4:]}>",
            f"ID <{digits}>",
        ]
    )


def _phone(random: Random) -> str:
    d = "".join(random.choices("23456789", k=10))
    us, uk = (f"({d[:3]}) {d[3:6]}-{d[6:]}", f"{d[:3]}-{d[3:6]}-{d[6:]}"), f"+44 20 {d[:4]} {d[4:8]}"
    return random.choice(("Call <{}>.", "Tel: <{}>", "Reached at <{}>.")).format(
        random.choice((*us, uk, f"0161 {d[:3]} {d[3:7]}"))
    )


def _address(random: Random) -> str:
    number, street = (
        random.randint(1, 9999),
        random.choice(["Elm Street", "Oak Ave", "Maple Grove Road", "King's Lane"]),
    )
    town = random.choice(["Springfield, IL 62704", "Dayton, OH 45402", "Leeds LS1 4DY"])
    return f"Lives at <{number} {street}, {town}>."


def _email(random: Random) -> str:
    first, last = _name(random)
    return f"Contact <{first.lower()}.{last.lower().replace(chr(39), '')}{random.randint(1, 99)}@example.org>."


MAKERS: dict[str, Callable[[Random], str]] = {
    "name with a cue": _cued, "full name without a cue": _uncued, "first name alone": _lone, "date": _date,
    "number": _number, "phone": _phone, "address": _address, "e-mail": _email,
}  # fmt: skip


def seeded_texts(data: Path, *, n: int, seed: int) -> list[Seeded]:
    """`n` texts: a sentence with an identifier among real sentences of reports that were de-identified."""
    random, sentences = Random(seed), sorted(set(_sentences(data)))  # a sample
    return [_seeded(random, sentences, list(MAKERS)[index % len(MAKERS)]) for index in range(n)]


def _seeded(random: Random, sentences: list[str], kind: str) -> Seeded:
    before, after = random.choice(sentences), random.choice(sentences)
    marked = MAKERS[kind](random)
    start, end = marked.index("<"), marked.index(">") - 1
    offset = len(before) + 1
    return Seeded(f"{before} {marked.replace('<', '').replace('>', '')} {after}", offset + start, offset + end, kind)


def _sentences(data: Path) -> Iterator[str]:
    """Sentences without traces of an identifier that was taken out."""
    for one in read_half(data / "negex" / "annotations.tsv", 1):
        if "**" not in one.text and len(one.text) < 300:
            yield " ".join(one.text.split())
    for path in sorted((data / "open-i").glob("*.xml")):
        for element in ElementTree.parse(path).getroot().iter("AbstractText"):  # noqa: S314  # files of the corpora
            for sentence in re.split(r"(?<=[.])\s+", element.text or ""):
                if "XXXX" not in sentence and len(sentence) > 20:
                    yield sentence
