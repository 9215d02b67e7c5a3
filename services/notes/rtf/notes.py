"""An RTF document as the text of a note, or what is wrong with it in the words of this service's errors."""

from __future__ import annotations

from services.notes.rtf.reader import NotRtf, rtf_to_text
from shared.errors import FieldProblem

RTF_START = "{\\rtf"
_FIX = "send one whole RTF document (version 1), or the text itself"


def text_of_rtf(content: str | bytes, field: str) -> str | FieldProblem:
    """The text of a document, from its bytes or from a character for each byte."""
    try:
        return rtf_to_text(content if isinstance(content, bytes) else content.encode("latin-1"))
    except UnicodeEncodeError as error:
        problem = f"is RTF with a character above U+00FF at {error.start}"
        return FieldProblem(field, problem, "send a character for each byte of the document; RTF itself is ASCII")
    except NotRtf as problem:
        return FieldProblem(field, f"is RTF that {problem}", _FIX)
