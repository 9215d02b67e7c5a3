"""All that is found in the text of a note, and its form in the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter

from services.notes.clinical.contexts import find_contexts
from services.notes.clinical.cues import Flag
from services.notes.clinical.identifiers.detection import find_identifiers
from services.notes.clinical.identifiers.span import Identifier
from services.notes.clinical.language import Language, detect_language
from services.notes.clinical.lexicon import find_mentions
from services.notes.clinical.sections import Section, SectionKind, find_sections, section_at

VERSION = 2
"""Of the rules. A stored analysis keeps the version that made it."""


@dataclass(frozen=True)
class Finding:
    """Characters [start, end) that name a finding, and how it is meant."""

    start: int
    end: int
    name: str
    """A key of `lexicon.FINDINGS`."""
    flags: tuple[Flag, ...]
    """Empty: affirmed, of the patient, now."""
    section: SectionKind | None


@dataclass(frozen=True)
class Analysis:
    """What was found in one text; every place is an offset into it, in characters."""

    version: int
    sections: tuple[Section, ...]
    findings: tuple[Finding, ...]
    """Empty where the text is in another language than English."""
    language: Language
    identifiers: tuple[Identifier, ...]

    def to_json(self) -> str:
        """The form in which it is stored."""
        return _FORM.dump_json(self).decode()

    @classmethod
    def from_json(cls, content: str) -> Analysis:
        """The analysis that `to_json` wrote."""
        return _FORM.validate_json(content)


_FORM = TypeAdapter(Analysis)


def analyse(text: str, known: Collection[str] = ()) -> Analysis:
    """Read a note; it takes time in proportion to its length.

    Args:
        known: names and numbers of persons that came beside the text.
    """
    language, sections = detect_language(text), find_sections(text)
    findings = () if language.is_foreign else tuple(_findings(text, sections))
    return Analysis(VERSION, sections, findings, language, find_identifiers(text, known))


def _findings(text: str, sections: tuple[Section, ...]) -> Iterator[Finding]:
    contexts = find_contexts(text, sections)
    for mention in find_mentions(text):
        yield _finding(mention, contexts.of(*mention[:2]), sections)


def _finding(mention: tuple[int, int, str], flags: frozenset[Flag], sections: tuple[Section, ...]) -> Finding:
    start, end, name = mention
    section = section_at(sections, start)
    return Finding(start, end, name, tuple(sorted(flags)), section.kind if section else None)
