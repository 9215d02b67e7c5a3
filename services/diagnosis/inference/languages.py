"""Notes in another language than English are no evidence: the encoder would score them as English all the same."""

from __future__ import annotations

from collections.abc import Sequence

from services.diagnosis.case import NoteInput
from services.diagnosis.languages import is_read, name_of


def readable_notes(notes: Sequence[NoteInput]) -> tuple[NoteInput, ...]:
    """The notes that are not known to be in another language, in their order."""
    return tuple(note for note in notes if is_read(note.language))


def set_aside(notes: Sequence[NoteInput]) -> list[dict[str, str]]:
    """Each note in another language with the reason, as `quality` of the modality lists them."""
    return [{"note": note.id, "reason": foreign_reason([note])} for note in notes if not is_read(note.language)]


def foreign_reason(notes: Sequence[NoteInput]) -> str:
    """Why notes of other languages are set aside, in the words of whoever treats."""
    names = sorted({name_of(note.language) for note in notes})
    return f"it is written in {' and '.join(names)}, and this model reads English alone"
