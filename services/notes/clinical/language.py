"""In which language a note is written. English alone is read by the rules here and by the models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

ENGLISH, UNDETERMINED = "en", "und"
CANDIDATES = (
    "ar", "ca", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "it", "ja", "ko", "nl", "no", "pl",
    "pt", "ro", "ru", "sv", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""ISO 639-1. Among all 97 that the library knows, terse English passes for Latin and Maltese."""
SURE = 0.8
"""Below this probability another language than English is called undetermined: `CP, SOB, NKDA` looks like many."""
SAMPLE = 1000
"""Characters read, from the beginning."""


@dataclass(frozen=True)
class Language:
    """ISO 639-1 code, or `und` (ISO 639-2) where nothing but English is likely enough."""

    code: str
    probability: float
    """That of the likeliest language, among `CANDIDATES`."""

    @property
    def is_foreign(self) -> bool:
        """Surely another language than English."""
        return self.code not in (ENGLISH, UNDETERMINED)


def detect_language(text: str) -> Language:
    """The language of a text (naive Bayes on byte n-grams: Lui & Baldwin, ACL 2012)."""
    code, probability = _identifier().classify(text[:SAMPLE].lower())
    known = code == ENGLISH or probability >= SURE
    return Language(code if known else UNDETERMINED, round(float(probability), 4))


@cache
def _identifier() -> Any:
    # At the first note: the model takes a tenth of a second to load.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(CANDIDATES)
    return identifier
