"""One note as others write it, so that short notes and notes without sections are familiar."""

from __future__ import annotations

import re

import numpy as np

SHORT = 6
"""Sentences of a note that is short: most variants are, for the long ones are familiar anyway."""
_HEADING = re.compile(r"^[A-Za-z /]{2,40}:[ \t]*", re.MULTILINE)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")


def vary_text(text: str, rng: np.random.Generator) -> str:
    """The same note with fewer sentences, without headings, without line breaks, or in small letters throughout."""
    if rng.random() < 0.4:
        text = _HEADING.sub("", text)
    sentences = [part for part in _SENTENCES.split(text) if part.strip()]
    if rng.random() < 0.8 and len(sentences) > 2:
        if rng.random() < 0.7:
            most = len(sentences) if rng.random() < 0.3 else min(len(sentences), SHORT)
            length = int(rng.integers(2, most + 1))
            start = int(rng.integers(0, len(sentences) - length + 1))
            sentences = sentences[start : start + length]
        else:
            kept = rng.random(len(sentences)) < rng.uniform(0.2, 0.9)
            kept[rng.integers(0, len(sentences), 2)] = True
            sentences = [part for part, keep in zip(sentences, kept, strict=True) if keep]
    joined = ("\n" if rng.random() < 0.3 else " ").join(sentences)
    return joined.lower() if rng.random() < 0.05 else joined
