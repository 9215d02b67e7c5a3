"""Text that knows where its findings stand: pieces, what styles do to them, and the page that counts characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from services.diagnosis.ward.chance import Chance
from services.diagnosis.ward.phrases import ABBREVIATIONS

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LONG_FORMS = re.compile(rf"\b(?:{'|'.join(sorted(ABBREVIATIONS, key=len, reverse=True))})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Piece:
    """Text; with a `finding`, the words that state it."""

    text: str
    finding: str = ""
    negated: bool = False


@dataclass(frozen=True)
class Statement:
    """What is said in one go."""

    pieces: tuple[Piece, ...]
    order: float = 0.0
    """Where it stands among the statements of its section."""

    @classmethod
    def plain(cls, text: str, order: float = 0.0) -> Statement:
        """A statement without a finding."""
        return cls((Piece(text),), order)


@dataclass
class Page:
    """A text that grows, and its spans: (start, end, finding, negated), in code points."""

    text: str = ""
    spans: list[tuple[int, int, str, bool]] = field(default_factory=list)

    def write(self, statement: Statement) -> None:
        """Put a statement at the end."""
        for piece in statement.pieces:
            start = len(self.text)
            self.text += piece.text
            if piece.finding:
                self.spans.append((start, len(self.text), piece.finding, piece.negated))

    def write_text(self, text: str) -> None:
        """Put text without findings at the end."""
        self.text += text

    def trim(self) -> None:
        """Take blanks and line ends off the end."""
        self.text = self.text.rstrip(" \n")


def restyle(statement: Statement, chance: Chance, *, abbreviations: float, typo_rate: float, lower: bool) -> Statement:
    """The statement as this clinician would type it.

    Cues keep their letters: a denial that cannot be read is none. Phrases and statements without any do not.
    """
    pieces = statement.pieces
    if abbreviations:
        pieces = tuple(replace(piece, text=_abbreviate(piece.text, abbreviations, chance)) for piece in pieces)
    if lower:
        pieces = tuple(replace(piece, text=piece.text.lower()) for piece in pieces)
    if typo_rate:
        alone = len(pieces) == 1
        pieces = tuple(
            replace(piece, text=_misspell(piece.text, typo_rate, chance)) if alone or piece.finding else piece
            for piece in pieces
        )
    return replace(statement, pieces=pieces)


def joined(pieces: Sequence[Piece], between: str, last: str) -> tuple[Piece, ...]:
    """Phrases with their joints: a, b and c; or a, b, and c, but never a, and b."""
    out = [pieces[0]]
    if len(pieces) == 2 and last != between:
        last = last.removeprefix(",")
    for number, piece in enumerate(pieces[1:], 2):
        out += [Piece(last if number == len(pieces) else between), piece]
    return tuple(out)


def capitalised(text: str) -> str:
    """With a capital first letter; the rest as it is."""
    return text[:1].upper() + text[1:]


def _abbreviate(text: str, rate: float, chance: Chance) -> str:
    def _short(match: re.Match[str]) -> str:
        long = match.group()
        return ABBREVIATIONS[long.lower()] if chance.happens(rate) else long

    return _LONG_FORMS.sub(_short, text)


def _misspell(text: str, rate: float, chance: Chance) -> str:
    """Swap, drop, double or replace a letter inside some long words; first letters and numbers stay."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) < 5 or not word.isalpha() or not chance.happens(rate):
            continue
        at = chance.integer(1, len(word) - 3)
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        replaced = word[:at] + chance.pick(LETTERS) + word[at + 1 :]
        words[i] = chance.pick((swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], replaced))
    return " ".join(words)
