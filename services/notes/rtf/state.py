"""What holds at one place of an RTF document: a group begins with a copy and gives the old one back at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.notes.rtf.charsets import DEFAULT, SYMBOL, codec_of_font, codec_of_page


@dataclass(frozen=True)
class State:
    """The properties of the text that follows."""

    destination: str = ""
    """The destination that decides what becomes of the text; empty: it is seen."""
    hidden: bool = False
    deleted: bool = False
    """Struck by a tracked change."""
    skip: int = 1
    """Characters after each `\\u` that stand there for old readers."""
    font: int | None = None

    @property
    def is_seen(self) -> bool:
        """Whether a reader sees the text."""
        return not (self.destination or self.hidden or self.deleted)


@dataclass
class Font:
    """One entry of the font table."""

    charset: int = 1
    page: int | None = None
    name: str = ""


@dataclass
class Fonts:
    """The font table, and the character set of the document."""

    document: str = DEFAULT
    default: int | None = None
    table: dict[int, Font] = field(default_factory=dict)

    def codec(self, number: int | None) -> str:
        """The codec of text in a font."""
        font = self._font(number)
        page = codec_of_page(font.page) if font.page is not None else None
        return page or codec_of_font(font.charset) or self.document

    def picture_font(self, number: int | None) -> str | None:
        """The name of a font whose bytes are pictures; None: they are characters."""
        font = self._font(number)
        return font.name if font.charset == SYMBOL else None

    def _font(self, number: int | None) -> Font:
        known = self.default if number is None else number
        return Font() if known is None else self.table.get(known, Font())
