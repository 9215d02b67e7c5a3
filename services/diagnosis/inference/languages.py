"""Notes in another language than English are no evidence: the encoder would score them as English all the same."""

from __future__ import annotations

from collections.abc import Sequence

from services.diagnosis.case import NoteInput

_READ = frozenset({None, "en", "und"})
NAMES = {
    "ar": "Arabic", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""ISO 639-1 -> the English name."""


def readable_notes(notes: Sequence[NoteInput]) -> tuple[NoteInput, ...]:
    """The notes that are not known to be in another language, in their order."""
    return tuple(note for note in notes if note.language in _READ)


def foreign_reason(notes: Sequence[NoteInput]) -> str:
    """Why notes of other languages are set aside, in the words of whoever treats."""
    names = sorted({NAMES.get(note.language or "", "another language") for note in notes})
    return f"it is written in {' and '.join(names)}, and this model reads English alone"
