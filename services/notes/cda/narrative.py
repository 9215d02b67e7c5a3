"""The narrative block of CDA sections (CDA R2 section 4.3.5) as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from services.notes.cda.parsing import NAMESPACE

_BLOCKS = frozenset({"paragraph", "list", "item", "table", "thead", "tbody", "tfoot", "tr", "caption"})
_CELLS = frozenset({"td", "th"})
_BLANKS = re.compile(r"[ \t\r\n]+")
_AROUND_BREAK = re.compile(r"[ |]*\n[ \n]*")


def body_text(body: Element) -> str:
    """All sections of a structuredBody in order: the title on a line of its own, then the words, an item or row a line.

    Entries, which code for machines what the narrative says, are left out, as are multimedia and deleted content.
    """
    parts = (_section(section) for section in body.findall(f"{NAMESPACE}component/{NAMESPACE}section"))
    return "\n\n".join(part for part in parts if part)


def _section(section: Element) -> str:
    title, text = section.find(f"{NAMESPACE}title"), section.find(f"{NAMESPACE}text")
    lines = [narrative_text(part) for part in (title, text) if part is not None]
    lines += [_section(inner) for inner in section.findall(f"{NAMESPACE}component/{NAMESPACE}section")]
    return "\n".join(line for line in lines if line)


def narrative_text(element: Element) -> str:
    """The words of one narrative block."""
    joined = re.sub(" +", " ", "".join(_pieces(element)))
    return _AROUND_BREAK.sub("\n", joined).strip(" |\n")


def _pieces(element: Element) -> Iterator[str]:
    yield _BLANKS.sub(" ", element.text or "")
    for child in element:
        name = child.tag.removeprefix(NAMESPACE)
        if name == "br":
            yield "\n"
        elif name != "renderMultiMedia" and child.get("revised") != "delete":
            yield from _child(child, name)
        yield _BLANKS.sub(" ", child.tail or "")


def _child(child: Element, name: str) -> Iterator[str]:
    if name in _BLOCKS:
        yield "\n- " if name == "item" else "\n"
    yield from _pieces(child)
    if name in _CELLS:
        yield " | "
    elif name in _BLOCKS:
        yield "\n"
