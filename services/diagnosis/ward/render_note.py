"""The note: what was documented of each finding, as prose with sections, and where each statement stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.diagnosis.ward import fillers, phrases
from services.diagnosis.ward.chance import Chance, draw_chances
from services.diagnosis.ward.model import Findings
from services.diagnosis.ward.note_text import Page, Piece, Statement, capitalised, joined, restyle
from services.diagnosis.ward.population import ANYONE, Person
from services.diagnosis.ward.writing import STANDARD_WRITING, Style, Writing

SILENT = frozenset({"unmentioned", "absent"})
"""Values of a finding that leave no trace."""
LONGEST_LIST = 4
_IN_SECTION = {
    section: tuple(name for name, place in phrases.SECTIONS.items() if place == section)
    for section in ("hpi", "exam", "pmh")
}
_PARTS = (
    *phrases.SECTIONS, *(f"{section} lists" for section in _IN_SECTION), "style", "patient", "cc", "hpi", "pmh",
    "family", "medications", "exam", "assessment", "frame", "copied",
)  # fmt: skip


@dataclass(frozen=True)
class Note:
    """A rendered note. Spans: (start, end, finding, negated), offsets in code points."""

    text: str
    type: str
    spans: tuple[tuple[int, int, str, bool], ...]


def render_note(
    findings: Findings, rng: np.random.Generator, *, person: Person = ANYONE, writing: Writing = STANDARD_WRITING
) -> Note:
    """Write one admission note of these findings; a finding that is `unmentioned` leaves no trace.

    All chance is drawn before the findings are looked at and each finding has its own, so that the same patient with
    and without a finding has the same note but for the sentences that state it.
    """
    chances = draw_chances(rng, _PARTS)
    author = _Author(writing.draw(chances["style"], person.site), person, chances, _words(person, chances["patient"]))
    sections = {name: author.section(name, findings) for name in author.style.order}
    note_type = chances["frame"].pick(tuple(fillers.TITLES))
    page = Page()
    author.write_head(page, note_type)
    for name, statements in sections.items():
        author.write_section(page, name, statements)
        if author.style.copied and name == "hpi":
            author.write_copied(page, [statement for section in sections.values() for statement in section])
    author.write_end(page)
    page.trim()
    return Note(page.text, note_type, tuple(page.spans))


def _words(person: Person, chance: Chance) -> dict[str, object]:
    """What templates say of the person."""
    he, his, title = ("she", "her", "Ms.") if person.sex == "F" else ("he", "his", "Mr.")
    noun = "woman" if person.sex == "F" else "man"
    return {
        "age": person.age_years, "sex": person.sex, "person": noun, "Person": noun.capitalize(), "Title": title,
        "A": "An" if person.age_years == 18 or 80 <= person.age_years <= 89 else "A",
        "he": he, "He": he.capitalize(), "his": his,
        "days": chance.integer(2, 6), "complaint": chance.pick(fillers.COMPLAINTS),
    }  # fmt: skip


@dataclass(frozen=True)
class _Author:
    """One clinician writing one note."""

    style: Style
    person: Person
    chances: Mapping[str, Chance]
    words: Mapping[str, object]

    def section(self, name: str, findings: Findings) -> list[Statement]:
        """The statements of a section, as they will be written."""
        chance = self.chances[name]
        own = [self._typed(statement, chance) for statement in self._unremarkable(name, chance)]
        return sorted(own + self._told(name, findings), key=lambda statement: statement.order)

    def write_section(self, page: Page, name: str, statements: Sequence[Statement]) -> None:
        """A section with its heading; nothing where it has no statement."""
        if not statements:
            return
        separator = "\n" if self.style.lines else " "
        if heading := phrases.HEADINGS[self.style.headings].get(name):
            page.write_text(f"{heading}:{separator}")
        self._write(page, statements, separator)
        page.write_text("\n" if self.style.lines or self.style.headings == "none" else "\n\n")

    def write_copied(self, page: Page, statements: Sequence[Statement]) -> None:
        """Some of today's statements again, word for word, among what was trivial yesterday."""
        chance = self.chances["copied"]
        head, end = chance.pick(fillers.COPIED_HEADS), chance.pick(fillers.COPIED_ENDS)
        stale = [Statement.plain(text) for text in chance.some(fillers.STALE, chance.integer(2, 4))]
        again = [statement for statement in statements if self._carried(statement)]
        page.write_text(f"{head}\n")
        self._write(page, [*stale[:1], *again, *stale[1:]], "\n" if self.style.lines else " ")
        page.write_text(f"\n{end}\n\n" if end else "\n\n")

    def write_head(self, page: Page, note_type: str) -> None:
        """Title and date."""
        if self.style.dated:
            chance = self.chances["frame"]
            page.write_text(f"{chance.pick(fillers.TITLES[note_type])}\n")
            when = {"hour": chance.integer(0, 23), "minute": chance.integer(0, 59)}
            page.write_text(chance.pick(fillers.DATES).format(**when) + "\n\n")

    def write_end(self, page: Page) -> None:
        """Who wrote it."""
        if self.style.signature:
            page.trim()
            page.write_text(f"\n\n{self.chances['frame'].pick(fillers.SIGNATURES)}")

    def _typed(self, statement: Statement, chance: Chance) -> Statement:
        style = self.style
        return restyle(
            statement, chance, abbreviations=style.abbreviations, typo_rate=style.typo_rate, lower=style.lower
        )

    def _write(self, page: Page, statements: Sequence[Statement], separator: str) -> None:
        for statement in statements:
            page.write_text(self.style.bullet)
            page.write(statement)
            page.write_text(separator)
        page.trim()

    def _carried(self, statement: Statement) -> bool:
        """Whether a copied block repeats it: a matter of the chance of what it states first."""
        finding = next((piece.finding for piece in statement.pieces if piece.finding), "")
        return bool(finding) and self.chances[finding].happens(0.4)

    def _unremarkable(self, name: str, chance: Chance) -> list[Statement]:
        """What a section says whatever the findings are."""
        style = self.style
        if name == "hpi":
            opening = chance.pick(fillers.OPENINGS[style.form]).format(**self.words)
            return [Statement.plain(opening, -1.0), *self._trivia(fillers.FILLERS, chance)]
        if name == "pmh":
            of_sex = fillers.OF_WOMEN if self.person.sex == "F" else fillers.OF_MEN
            return [*self._trivia(fillers.BACKGROUND + of_sex, chance), *(self._past(chance) if style.past else ())]
        if name == "exam":
            vitals = [Statement.plain(chance.pick(fillers.FLOWSHEET), -1.0)] if style.flowsheet else []
            return [*vitals, *self._trivia(fillers.EXAM_FILLERS, chance)]
        if name == "family":
            return self._relatives(chance)
        if name == "cc":
            return [Statement.plain(capitalised(str(self.words["complaint"])) + ".")]
        if name == "medications":
            return [Statement.plain(", ".join(chance.some(fillers.MEDICATIONS, chance.integer(1, 5))) + ".")]
        return self._plan(chance)

    def _trivia(self, groups: Sequence[Sequence[str]], chance: Chance) -> list[Statement]:
        chosen = chance.some(groups, chance.integer(0, self.style.fillers))
        return [Statement.plain(chance.pick(group).format(**self.words), chance.uniform()) for group in chosen]

    def _relatives(self, chance: Chance) -> list[Statement]:
        if not self.style.family:
            return [Statement.plain(chance.pick(fillers.FAMILY_NOTHING))] if chance.happens(0.5) else []
        count = chance.integer(1, 2)
        relatives, diseases = chance.some(fillers.RELATIVES, count), chance.some(fillers.FAMILY_DISEASES, count)
        return [
            Statement.plain(f"{relative}{' ' if disease.startswith(_VERBS) else ': '}{disease}.")
            for relative, disease in zip(relatives, diseases, strict=True)
        ]

    def _past(self, chance: Chance) -> list[Statement]:
        finding, year = chance.pick(fillers.PAST_FINDINGS), chance.integer(1998, 2021)
        text = chance.pick(fillers.PAST).format(finding=finding, year=year)
        return [Statement.plain(capitalised(text), chance.uniform())]

    def _plan(self, chance: Chance) -> list[Statement]:
        plans = fillers.PLANS if self.style.form == "prose" else fillers.SHORT_PLANS
        plan, caution = chance.pick(plans), chance.pick(fillers.CAUTIONS)
        caution = capitalised(caution.format(finding=chance.pick(fillers.CAUTION_FINDINGS)))
        return [Statement.plain(text) for text in (plan, caution)[: 1 + self.style.caution]]

    def _told(self, section: str, findings: Findings) -> list[Statement]:
        """The statements of the findings of a section."""
        told = [name for name in _IN_SECTION.get(section, ()) if findings[name] not in SILENT]
        listed = self._listed(section, told, findings) if told else {}
        rest = [name for name in told if name not in {name for names in listed.values() for name in names}]
        return [self._alone(name, section, findings[name]) for name in rest] + [
            self._together(names, section, status) for status, names in listed.items()
        ]

    def _listed(self, section: str, told: Sequence[str], findings: Findings) -> dict[str, list[str]]:
        """Status -> findings that share a cue."""
        chance = self.chances[f"{section} lists"]
        listed = {}
        # Denials are listed more often than complaints, and one that stands alone finds company.
        for status, rate, fewest in (("asserted", self.style.lists / 2, 2), ("negated", self.style.lists, 1)):
            names = [name for name in told if findings[name] == status][:LONGEST_LIST]
            if chance.happens(rate) and len(names) >= fewest:
                listed[status] = names
        return listed

    def _alone(self, name: str, section: str, value: str) -> Statement:
        chance = self.chances[name]
        phrase, status = self._phrase(name, value), "asserted" if name in phrases.PAIR_PHRASES else value
        cues = phrases.CUES[chance.weighted(self.style.forms)][section, status]
        # Phrases of a pair tell the time themselves.
        cue = chance.pick([cue for cue in cues if "{days}" not in cue] if name in phrases.PAIR_PHRASES else cues)
        return self._stated(cue, (Piece(phrase, name, status == "negated"),), chance)

    def _together(self, names: Sequence[str], section: str, status: str) -> Statement:
        chance, negated = self.chances[f"{section} lists"], status == "negated"
        pieces = [Piece(self._phrase(name, status), name, negated) for name in names]
        if negated:
            company = chance.some(phrases.UNREMARKABLE[section], chance.integer(len(names) == 1, 2))
            at = chance.integer(0, len(pieces))
            pieces[at:at] = [Piece(text) for text in company]
        form = chance.weighted(self.style.forms)
        between, last = chance.pick(phrases.JOINTS[form][status])
        cue = chance.pick(phrases.LISTS[form][section, status])
        return self._stated(cue, joined(pieces, between, last), chance)

    def _phrase(self, name: str, value: str) -> str:
        options = phrases.PHRASES[name] if name in phrases.PHRASES else phrases.PAIR_PHRASES[name][value]
        phrase = self.chances[name].pick(options)
        return options[0] if self.person.sex == "M" and phrase in phrases.OF_WOMEN else phrase

    def _stated(self, cue: str, pieces: tuple[Piece, ...], chance: Chance) -> Statement:
        words = {**self.words, "days": chance.integer(2, 6)}
        before, _, after = cue.partition("_")
        if not before:
            first = pieces[0]
            pieces = (Piece(capitalised(first.text), first.finding, first.negated), *pieces[1:])
        ends = (Piece(before.format(**words)), *pieces, Piece(after.format(**words)))
        statement = Statement(tuple(piece for piece in ends if piece.text), chance.uniform())
        return self._typed(statement, chance)


_VERBS = ("had ", "smoked ", "died ")
