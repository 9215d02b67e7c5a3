"""From RTF to text, in one pass over the bytes: time and memory are proportional to the length of the document."""

from __future__ import annotations

import re
from dataclasses import replace

from services.notes.rtf.charsets import DECLARED, UNREADABLE, codec_of_page, picture
from services.notes.rtf.state import Font, Fonts, State
from services.notes.rtf.words import REOPENED, SPECIAL, SYMBOLS, UNSEEN

MAX_DEPTH = 200
"""Groups within groups. Word writes a dozen or two."""
MAX_TOKENS = 1_000_000
"""Control words, braces and runs of text: about as many as a text at this service's limit can need."""
_TOKEN = re.compile(
    rb"\\(?P<word>[A-Za-z]{1,32})(?P<number>-?[0-9]{1,10})? ?"
    rb"|\\'(?P<hex>[0-9A-Fa-f]{2})"
    rb"|\\(?P<symbol>[^A-Za-z])"
    rb"|(?P<brace>[{}])"
    rb"|[\r\n\x00]+"
    rb"|(?P<text>[^\\{}\r\n\x00]+)"
)
_TRAILING, _BLANK_LINES = re.compile(r"[ \t|\u00a0]*\n"), re.compile(r"\n{3,}")


class NotRtf(ValueError):
    """The bytes are no whole RTF document; the message says why, and quotes nothing."""


def rtf_to_text(content: bytes) -> str:
    """The text that a reader of the document sees: a line for each paragraph or table row, ` | ` between cells.

    Raises: NotRtf: no RTF, cut off, too deep, too much, or in a character set that is not known.
    """
    start = re.match(rb"(?:\xef\xbb\xbf)?\s*(?={\\rtf)", content)
    if start is None:
        raise NotRtf("does not begin as RTF does")
    reader = _Reader()
    place = start.end()
    for _ in range(MAX_TOKENS):
        token = _TOKEN.match(content, place)
        if token is None:
            raise NotRtf("ends within a group: it was cut off")
        place = reader.take(token)
        if place > len(content):
            raise NotRtf("announces more bytes (`bin`) than there are")
        if not reader.groups:
            break
    else:
        raise NotRtf(f"holds more than {MAX_TOKENS} control words, groups and runs of text")
    if content[place:].strip(b"\r\n\t \x00"):
        raise NotRtf("goes on after its last group")
    return _tidied(reader.text())


class _Reader:
    """What was read so far."""

    def __init__(self) -> None:
        self.groups: list[State] = []
        self._state, self._fonts = State(), Fonts()
        self._pieces: list[str] = []
        # Bytes of characters that may go on in the next token, as those of two bytes do.
        self._bytes = bytearray()
        self._to_skip = 0
        self._starred = False

    def take(self, token: re.Match[bytes]) -> int:
        """Read one token; gives the place after it."""
        kind = token.lastgroup
        if kind in ("text", "hex"):
            self._take_bytes(token[0] if kind == "text" else bytes.fromhex(token["hex"].decode()))
        elif kind == "brace":
            self._take_brace(opening=token["brace"] == b"{")
        elif kind == "symbol":
            self._take_symbol(token["symbol"])
        elif kind is not None:
            return self._take_word(token)
        return token.end()

    def text(self) -> str:
        """All of it."""
        self._flush()
        # `\u` gives UTF-16 code units, so that characters beyond them come in pairs.
        return "".join(self._pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _take_brace(self, *, opening: bool) -> None:
        self._flush()
        self._to_skip, self._starred = 0, False
        if not opening:
            self._state = self.groups.pop()
            return
        if len(self.groups) >= MAX_DEPTH:
            raise NotRtf(f"is nested deeper than {MAX_DEPTH} groups")
        self.groups.append(self._state)

    def _take_symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self._starred = True
        elif not self._skipped():
            self._write(SYMBOLS.get(symbol, ""))

    def _take_word(self, token: re.Match[bytes]) -> int:
        word, number = token["word"].decode(), int(token["number"]) if token["number"] else None
        if word == "bin":
            self._skipped()
            return token.end() + max(number or 0, 0)
        # What an old reader is shown instead of `\u` may be a control word, such as a bullet.
        if word in SPECIAL and self._skipped():
            return token.end()
        self._flush()
        starred, self._starred = self._starred, False
        self._obey(word, number, starred=starred)
        return token.end()

    def _obey(self, word: str, number: int | None, *, starred: bool) -> None:
        state = self._state
        if word in REOPENED:
            if state.destination in ("", REOPENED[word]):
                self._state = replace(state, destination="")
        elif word in UNSEEN or word == "fonttbl" or starred:
            self._state = replace(state, destination=state.destination or word)
        elif state.destination == "fonttbl":
            self._describe_font(word, number)
        elif word in ("ansi", "mac", "pc", "pca", "ansicpg", "deff"):
            self._set_document(word, number)
        elif word == "u" and number is not None:
            self._write_unit(number % 0x10000)
            self._to_skip = state.skip
        elif word in SPECIAL:
            self._write(SPECIAL[word])
        else:
            self._state = _changed(state, word, number)

    def _set_document(self, word: str, number: int | None) -> None:
        if word == "deff":
            self._fonts.default = number
        elif word in DECLARED:
            self._fonts.document = DECLARED[word]
        else:
            codec = codec_of_page(number or 0)
            if codec is None:
                raise NotRtf("names a code page (`ansicpg`) that is not known")
            self._fonts.document = codec

    def _describe_font(self, word: str, number: int | None) -> None:
        if word == "f" and number is not None:
            self._state = replace(self._state, font=number)
            self._fonts.table[number] = Font()
            return
        font = self._fonts.table.get(self._state.font) if self._state.font is not None else None
        if font is not None and word == "fcharset":
            font.charset = number or 0
        elif font is not None and word == "cpg":
            font.page = number

    def _take_bytes(self, content: bytes) -> None:
        skipped = min(self._to_skip, len(content))
        self._to_skip -= skipped
        if self._state.destination == "fonttbl" and self._state.font in self._fonts.table:
            self._fonts.table[self._state.font].name += content.decode("ascii", "replace")
        elif self._state.is_seen:
            self._bytes += content[skipped:]

    def _skipped(self) -> bool:
        """Whether one more character stands for what `\\u` said already."""
        if not self._to_skip:
            return False
        self._to_skip -= 1
        return True

    def _flush(self) -> None:
        if not self._bytes:
            return
        name = self._fonts.picture_font(self._state.font)
        if name is not None:
            self._pieces += [picture(byte, name) for byte in self._bytes]
        else:
            self._pieces.append(self._bytes.decode(self._fonts.codec(self._state.font), "replace"))
        self._bytes.clear()

    def _write(self, text: str) -> None:
        self._flush()
        if self._state.is_seen:
            self._pieces.append(text)

    def _write_unit(self, unit: int) -> None:
        name = self._fonts.picture_font(self._state.font)
        if 0xF000 <= unit <= 0xF0FF:
            # The private place in which Windows keeps the bytes of fonts of pictures.
            self._write(UNREADABLE if name is None else picture(unit - 0xF000, name))
        else:
            self._write(chr(unit))


def _changed(state: State, word: str, number: int | None) -> State:
    """The properties after a control word that says something of them."""
    match word:
        case "f":
            return replace(state, font=number)
        case "uc":
            return replace(state, skip=max(number or 0, 0))
        case "v":
            return replace(state, hidden=number != 0)
        case "deleted":
            return replace(state, deleted=number != 0)
        case "plain":
            return replace(state, font=None, hidden=False, deleted=False)
        case _:
            return state


def _tidied(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", _TRAILING.sub("\n", text)).strip(" \t|\n\u00a0")
