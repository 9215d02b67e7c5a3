"""The note: what was documented of each finding, as prose with sections, and where each statement stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.diagnosis.ward import phrases
from services.diagnosis.ward.model import Findings
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.writing import STANDARD_WRITING, Writing

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Note:
    """A rendered note. Spans: (start, end, finding, negated), offsets in code points."""

    text: str
    type: str
    spans: tuple[tuple[int, int, str, bool], ...]


@dataclass(frozen=True)
class Style:
    """One clinician's way of writing."""

    headings: dict[str, str]
    typo_rate: float
    lines: bool
    """One statement a line rather than running text."""
    lower: bool
    fillers: float


@dataclass
class _Statement:
    """Text with at most one phrase that carries a finding."""

    before: str
    phrase: str = ""
    after: str = ""
    finding: str = ""
    negated: bool = False


@dataclass
class _Writer:
    text: str = ""
    spans: list[tuple[int, int, str, bool]] = field(default_factory=list)

    def add(self, statement: _Statement) -> None:
        start = len(self.text) + len(statement.before)
        self.text += statement.before + statement.phrase + statement.after
        if statement.phrase:
            self.spans.append((start, start + len(statement.phrase), statement.finding, statement.negated))


def render_note(
    findings: Findings, rng: np.random.Generator, *, person: Person = ANYONE, writing: Writing = STANDARD_WRITING
) -> Note:
    """Write one admission note of these findings; a finding that is `unmentioned` leaves no trace."""
    style = _style(rng)
    sections = {
        "cc": [_Statement(str(rng.choice(phrases.COMPLAINTS)).capitalize() + ".")],
        "hpi": [
            _opening(rng, person.age_years, person.sex),
            *_statements("hpi", findings, rng, phrases.FILLERS, style),
        ],
        "pmh": _statements("pmh", findings, rng, phrases.BACKGROUND, style),
        "family": _family(rng),
        "medications": [_Statement(", ".join(_some(phrases.MEDICATIONS, rng, 1, 5)) + ".")],
        "exam": _statements("exam", findings, rng, phrases.EXAM_FILLERS, style),
        "assessment": [_Statement(str(rng.choice(phrases.PLANS)))],
    }
    writer = _Writer()
    for name, statements in sections.items():
        if statements:
            _write_section(writer, style, style.headings[name], statements, rng)
    note_type = str(
        rng.choice(["34117-2", "11506-3", "51847-2"])
    )  # history and physical, progress, assessment and plan
    return Note(writer.text.rstrip("\n"), note_type, tuple(writer.spans))


def _style(rng: np.random.Generator) -> Style:
    return Style(
        headings=phrases.HEADINGS[int(rng.integers(len(phrases.HEADINGS)))],
        typo_rate=float(rng.choice([0.0, 0.01, 0.03])),
        lines=bool(rng.random() < 0.3),
        lower=bool(rng.random() < 0.15),
        fillers=float(rng.uniform(0.5, 3.5)),
    )


def _opening(rng: np.random.Generator, age: int, sex: str) -> _Statement:
    template = str(rng.choice(phrases.OPENINGS))
    short, person = ("F", "woman") if sex == "F" else ("M", "man")
    complaint, days = str(rng.choice(phrases.COMPLAINTS)), int(rng.integers(1, 6))
    sentence = template.format(age=age, sex=short, person=person, complaint=complaint, days=days)
    return _Statement(sentence[0].upper() + sentence[1:])


def _statements(
    section: str, findings: Findings, rng: np.random.Generator, fillers: Sequence[str], style: Style
) -> list[_Statement]:
    names = [name for name, place in phrases.SECTIONS.items() if place == section]
    written = [
        _statement(name, section, findings[name], rng)
        for name in names
        if findings[name] not in {"unmentioned", "absent"}
    ]
    written += [_Statement(text) for text in _some(fillers, rng, 0, 1 + round(style.fillers))]
    return [written[i] for i in rng.permutation(len(written))]


def _statement(name: str, section: str, value: str, rng: np.random.Generator) -> _Statement:
    if name in phrases.PAIR_PHRASES:
        phrase, status = str(rng.choice(phrases.PAIR_PHRASES[name][value])), "asserted"
    else:
        phrase, status = str(rng.choice(phrases.PHRASES[name])), value
    cues = phrases.CUES[section, status]
    before, _, after = cues[int(rng.integers(len(cues)))].partition("_")
    if not before:
        phrase = phrase[0].upper() + phrase[1:]
    return _Statement(before, phrase, after.format(days=int(rng.integers(1, 6))), name, status == "negated")


def _family(rng: np.random.Generator) -> list[_Statement]:
    if rng.random() < 0.35:
        return [_Statement("Non-contributory.")] if rng.random() < 0.5 else []
    relatives, diseases = _some(phrases.RELATIVES, rng, 1, 2), _some(phrases.FAMILY_DISEASES, rng, 2, 2)
    return [_Statement(f"{relative} {disease}.") for relative, disease in zip(relatives, diseases, strict=False)]


def _some(options: Sequence[str], rng: np.random.Generator, low: int, high: int) -> list[str]:
    count = int(rng.integers(low, high + 1))
    return [options[i] for i in rng.permutation(len(options))[:count]]


def _write_section(
    writer: _Writer, style: Style, heading: str, statements: Sequence[_Statement], rng: np.random.Generator
) -> None:
    separator = "\n" if style.lines else " "
    writer.add(_Statement(f"{heading}:{separator}"))
    for statement in statements:
        writer.add(_restyle(statement, style, rng))
        writer.add(_Statement(separator))
    writer.text = writer.text.rstrip(" \n") + ("\n" if style.lines else "\n\n")


def _restyle(statement: _Statement, style: Style, rng: np.random.Generator) -> _Statement:
    before, phrase, after = statement.before, statement.phrase, statement.after
    if style.lower:
        before, phrase, after = before.lower(), phrase.lower(), after.lower()
    if style.typo_rate:
        phrase = _misspell(phrase, style.typo_rate, rng)
        before = before if phrase else _misspell(before, style.typo_rate, rng)
    return _Statement(before, phrase, after, statement.finding, statement.negated)


def _misspell(text: str, rate: float, rng: np.random.Generator) -> str:
    """Swap, drop, double or replace a letter inside some words; first letters, numbers and cues stay."""
    words = text.split(" ")
    for i in np.flatnonzero(rng.random(len(words)) < rate * 3):
        word = words[i]
        if len(word) < 5 or not word.isalpha():
            continue
        at = int(rng.integers(1, len(word) - 2))
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        replaced = word[:at] + LETTERS[int(rng.integers(26))] + word[at + 1 :]
        variants = (swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], replaced)
        words[i] = variants[int(rng.integers(4))]
    return " ".join(words)
