"""XML of a stranger as a tree: no document type, no entities, nothing fetched, bounded in depth and number."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from services.notes.errors import InvalidNote
from shared.errors import FieldProblem

MAX_DEPTH = 64
MAX_ELEMENTS = 200_000
NAMESPACE = "{urn:hl7-org:v3}"


class _TooMuch(Exception):
    """Deeper, or of more elements, than any document."""


class _Bounded(TreeBuilder):
    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise _TooMuch
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse_cda(content: bytes | str) -> Element:
    """The root of a CDA document; of a text, the encoding that it declares is no longer true. Raises: InvalidNote."""
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    try:
        parser.feed(content)
        root: Element = parser.close()
    except DefusedXmlException:
        raise _refused("declares a document type or entities", "send the XML without a DOCTYPE") from None
    except _TooMuch:
        problem = f"is nested deeper than {MAX_DEPTH} or holds more than {MAX_ELEMENTS} elements"
        raise _refused(problem, "send one document") from None
    except (ParseError, LookupError, ValueError):
        raise _refused("is no well-formed XML", "send XML 1.0 in the encoding that it declares") from None
    if root.tag != f"{NAMESPACE}ClinicalDocument":
        raise _refused("is no ClinicalDocument of urn:hl7-org:v3", "send a CDA R2 document")
    return root


def _refused(problem: str, fix: str) -> InvalidNote:
    return InvalidNote([FieldProblem("body", problem, fix)])
