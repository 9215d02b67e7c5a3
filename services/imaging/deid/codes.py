"""Codes whose meaning we know: a code's own meaning is free text, and anything may have been written there."""

from __future__ import annotations

from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes

from services.imaging.dicom.values import text

SCHEMES = ("DCM", "SCT")
# Before 2018 SNOMED's terms went by their older identifiers (PS3.16 annex O).
OLDER = "SRT"


@cache
def _meanings() -> dict[tuple[str, str], str]:
    known = {
        (scheme, code.value): code.meaning
        for scheme in SCHEMES
        for code in getattr(codes, scheme).concepts.values()
    }  # fmt: skip
    older = {(OLDER, old): known[("SCT", new)] for old, new in mapping[OLDER].items() if ("SCT", new) in known}
    return known | older


def known_code(item: Dataset) -> Dataset | None:
    """The code of a sequence item under the meaning that the standard gives it; None where it is not one we know."""
    scheme, value = text(item, "CodingSchemeDesignator"), text(item, "CodeValue")
    meaning = _meanings().get((scheme, value))
    if meaning is None:
        return None
    kept = Dataset()
    kept.CodeValue, kept.CodingSchemeDesignator, kept.CodeMeaning = value, scheme, meaning[:64]
    return kept
