"""Which languages of notes are read, and what the others are called."""

from __future__ import annotations

_READ = frozenset({None, "en", "und"})
NAMES = {
    "ar": "Arabic", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
"""ISO 639-1 -> the English name."""


def is_read(language: str | None) -> bool:
    """Whether a note in this language (ISO 639-1, `und`, or None where nobody looked) is scored.

    The encoder would score any other as English all the same.
    """
    return language in _READ


def name_of(language: str | None) -> str:
    """The English name of a language that is not read."""
    return NAMES.get(language or "", "another language")
