"""Identifiers that have a form: dates, numbers, telephones, addresses, e-mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.notes.clinical.identifiers.span import Identifier, IdentifierKind

_K = IdentifierKind
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:[12]\d|3[01]|0?[1-9])"
_STREET = (
    r"(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|court|ct|way|place|pl|terrace|close|crescent|"
    r"square|circle|parkway|pkwy|highway|hwy|trail|row|hill|gardens)"
)
_STATES = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|"
    r"W[AIVY])"
)
_CAPITALISED = r"[A-Z][A-Za-z.'-]{0,20}"

PATTERNS: tuple[tuple[IdentifierKind, re.Pattern[str]], ...] = (
    (_K.EMAIL, re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}\b")),
    (_K.URL, re.compile(r"\b(?:https?://|www\.)[^\s<>\"]{3,500}", re.IGNORECASE)),
    (_K.DATE, re.compile(rf"\b{_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}(?:T[\d:.]{{4,15}}(?:Z|[+-]\d\d:?\d\d)?)?\b")),
    # Day and month in either order, and a year: `120/80` is a blood pressure, `3/7` three days.
    (
        _K.DATE,
        re.compile(rf"(?<![\d/.-]){_DAY}(?P<mark>[-/.])(?:{_DAY})(?P=mark)(?:{_YEAR}|\d\d)(?![\d/-]|\.\d)(?!\s?mm)"),
    ),
    (
        _K.DATE,
        re.compile(rf"\b{_DAY}(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}(?:[ ,-]{{1,2}}{_YEAR})?(?!\w)", re.IGNORECASE),
    ),
    (
        _K.DATE,
        re.compile(
            rf"\b{_MONTH} (?:{_DAY}(?:st|nd|rd|th)?(?:,? {_YEAR})?|{_YEAR})(?![\w/%]|\.\d|\s?(?:mg|mcg|ml))", re.I
        ),
    ),
    (_K.NUMBER, re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])")),
    (
        _K.PHONE,
        re.compile(
            r"(?<![\w.+])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,5}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}"
            r"(?:,? ?(?:x|ext\.?) ?\d{1,6})?(?!\d)"
        ),
    ),
    (_K.PHONE, re.compile(r"(?<![\w.+])(?:\+\d{1,3}[ .-]?(?:\(0\))?|0)\d{2,4}[ .-]\d{3,4}[ .-]?\d{3,4}(?!\d)")),
    (_K.PHONE, re.compile(r"(?<![\w.])\+\d(?:[ .-]?\d){7,13}(?!\d)")),
    (
        _K.PHONE,
        re.compile(
            r"\b(?:phone|telephone|tel|mobile|cell|fax|pager|beeper|ext(?:ension)?)\b\.?(?: (?:no|number))?[ :#.]{0,3}"
            r"(?P<value>\+?\d[\d ()./-]{2,18}\d)",
            re.IGNORECASE,
        ),
    ),
    (
        _K.NUMBER,
        re.compile(
            r"\b(?:mrn|(?:medical )?record|nhs|ssn|social security|acc(?:oun)?t|patient id|pt id|hospital|unit|visit|"
            r"encounter|accession|case|policy|member|insurance|licen[sc]e|npi|dea|chart|identifier|id)"
            r"(?: ?(?:no|num|number|id|#))?\.?[ ]?[:#=]{0,2}[ ]?"
            r"(?P<value>(?=[A-Z0-9/-]*\d{3})[A-Z0-9][A-Z0-9/-]{3,24})\b",
            re.IGNORECASE,
        ),
    ),
    (_K.NUMBER, re.compile(r"\b(?:NHS(?: no| number)?[ :#.]{0,3})(?P<value>\d{3} \d{3} \d{4})\b", re.IGNORECASE)),
    (_K.NUMBER, re.compile(r"(?<![\w.,/-])(?:[A-Z]{1,4}-?)?\d{6,14}(?![\w/]|[.,]\d)")),
    (
        _K.ADDRESS,
        re.compile(
            rf"\b\d{{1,5}}[A-Z]? (?:(?:[NSEW]\.? )?(?:{_CAPITALISED} ){{1,3}})(?i:{_STREET})\b\.?"
            rf"(?:,? (?i:apt|apartment|unit|suite|ste|flat|#)\.? ?[\w-]{{1,6}})?"
            rf"(?:,? {_CAPITALISED}(?: {_CAPITALISED}){{0,2}},? {_STATES}\b)?(?:,? \d{{5}}(?:-\d{{4}})?\b)?",
        ),
    ),
    (_K.ADDRESS, re.compile(rf"\b(?:{_CAPITALISED}(?: {_CAPITALISED}){{0,2}}, ?)?{_STATES} \d{{5}}(?:-\d{{4}})?\b")),
    (_K.ADDRESS, re.compile(rf"\b(?:{_CAPITALISED} )?[A-Z]{{1,2}}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{{2}}\b")),
    (_K.ADDRESS, re.compile(r"\bP\.?O\.? Box \d{1,6}\b", re.IGNORECASE)),
)
"""Kind and form; where a form has a group `value`, what stands before it is a cue and stays."""


def find_patterns(text: str) -> Iterator[Identifier]:
    """Whatever has the form of an identifier."""
    for kind, pattern in PATTERNS:
        group = "value" if "value" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            yield Identifier(*match.span(group), kind)
