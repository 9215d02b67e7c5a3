"""The words of an HTML note, block by block; nothing in it is run, fetched or kept."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    """
    address article blockquote body br caption dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main ol
    p pre section table tbody tfoot thead tr ul
    """.split()  # noqa: SIM905  # literals would read worse
)
_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript"})
_CELLS = frozenset({"td", "th"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.pieces.append("\n- " if tag == "li" else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS or tag in _CELLS:
            self.pieces.append(" | " if tag in _CELLS else "\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(re.sub(r"\s+", " ", data))


def html_to_text(html: str) -> str:
    """Plain text: a line for each block, `- ` before items, ` | ` between cells."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    joined = re.sub(" +", " ", "".join(reader.pieces))
    return re.sub(r"[ |]*\n[ \n]*", "\n", joined).strip(" |\n")
