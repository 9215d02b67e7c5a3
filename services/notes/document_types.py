"""The LOINC document types that this service takes, and the check digit that betrays a mistyped code."""

from __future__ import annotations

import re

from shared.errors import FieldProblem

DOCUMENT_TYPES = {
    "10164-2": "History of Present illness Narrative",
    "11488-4": "Consult note",
    "11490-0": "Physician Discharge summary",
    "11502-2": "Laboratory report",
    "11504-8": "Surgical operation note",
    "11505-5": "Physician procedure note",
    "11506-3": "Progress note",
    "11526-1": "Pathology study",
    "15508-5": "Labor and delivery records",
    "18726-0": "Radiology studies (set)",
    "18748-4": "Diagnostic imaging study",
    "18842-5": "Discharge summary",
    "24627-2": "CT Chest",
    "28568-4": "Physician Emergency department Note",
    "28570-0": "Procedure note",
    "28636-9": "Physician Initial evaluation note",
    "28651-8": "Nurse Transfer note",
    "29545-1": "Physical findings Narrative",
    "30746-2": "Portable XR Chest Views",
    "30954-2": "Relevant diagnostic tests/laboratory data Narrative",
    "34099-2": "Cardiology Consult note",
    "34100-8": "Intensive care unit Consult note",
    "34105-7": "Hospital Discharge summary",
    "34106-5": "Physician Hospital Discharge summary",
    "34108-1": "Outpatient Note",
    "34109-9": "Note",
    "34111-5": "Emergency department Note",
    "34112-3": "Inpatient Note",
    "34117-2": "History and physical note",
    "34119-8": "Nursing facility Initial evaluation note",
    "34120-6": "Initial evaluation note",
    "34130-5": "Hospital Progress note",
    "34131-3": "Outpatient Progress note",
    "34133-9": "Summary of episode note",
    "34746-8": "Nurse Note",
    "34878-9": "Emergency medicine Note",
    "36554-4": "Chest X-ray Single view",
    "36643-5": "XR Chest 2 Views",
    "47039-3": "Hospital Admission history and physical note",
    "51847-2": "Assessment and Plan note",
    "51848-0": "Assessment note",
    "57133-1": "Referral note",
    "59258-4": "Emergency department Discharge summary",
    "60591-5": "Patient summary Document",
    "67856-5": "Transfer summary note",
    "68608-9": "Summary note",
}
"""Code -> what kind of document, in short."""

_FORM = re.compile(r"[0-9]{1,7}-[0-9]")
_FIX = "send the LOINC code of a clinical document type, such as 34111-5 (emergency department note)"


def type_problem(code: str) -> FieldProblem | None:
    """Why a text is not the LOINC code of a document type known here; None if it is."""
    if code in DOCUMENT_TYPES:
        return None
    if not _FORM.fullmatch(code):
        return FieldProblem("type", "is not a LOINC code", _FIX)
    number, _, check = code.partition("-")
    if luhn_digit(number) != int(check):
        return FieldProblem("type", "is not a LOINC code: its check digit is wrong", _FIX)
    return FieldProblem("type", "is a LOINC code, but of no document type known here", _FIX)


def luhn_digit(number: str) -> int:
    """The mod-10 check digit of a LOINC number (LOINC Users' Guide, appendix on check digits)."""
    doubled = [int(digit) * 2 for digit in reversed(number)][::2]
    others = [int(digit) for digit in reversed(number)][1::2]
    total = sum(value - 9 if value > 9 else value for value in doubled) + sum(others)
    return -total % 10
