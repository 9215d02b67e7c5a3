"""Names of persons: after titles and labels, before degrees and ages, where persons act or are spoken to, by a list of
names, and wherever a found one comes again.

The list is that of the US Census of 1990 (in the package `names`): a first name before a last name, both capitalised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from services.notes.clinical.identifiers.span import Identifier, IdentifierKind

_NAME = r"[A-Z](?:[a-z]+|[A-Z]+)?(?:['\u2019-][A-Z][A-Za-z]+)?[a-z]*"
_INITIAL = r"(?:[A-Z](?:\.|(?![\w'\u2019-])))"
_LAST = rf"(?:(?:van|von|de|del|di|la|le|da|O'|Mc|Mac) ?){{0,2}}{_NAME}"
_PERSON = rf"{_NAME}(?: {_INITIAL})?(?: {_LAST}){{0,2}}"
_TITLED = re.compile(
    rf"\b(?:Drs?|Mr|Mrs|Ms|Miss|Prof(?:essor)?|Doctor|Sister|Nurse|DR|MR|MRS|"
    rf"MS)\b\.? ?(?P<value>(?:{_INITIAL} ){{0,2}}{_PERSON})"
)
_LABELLED = re.compile(
    r"\b(?i:patient(?: name)?|pt name|name|dictated by|attending(?: physician)?|physician|provider|author|"
    r"(?:electronically )?signed(?: by)?|seen by|reviewed by|referred by|discussed with|accompanied by|cc|pcp|"
    r"consultant|surgeon|next of kin|nok|emergency contact|contact|dictator|transcribed by|interpreted by|read by|"
    r"(?:her|his|their) (?:husband|wife|son|daughter|mother|father|brother|sister|partner|friend),?)"
    rf"(?P<mark>[ ]?[:=-][ ]?|[ ]|,[ ])(?P<value>{_NAME}, {_NAME}(?: {_INITIAL})?|{_PERSON})"
)
_DEGREED = re.compile(
    rf"\b(?P<value>{_NAME}(?: {_INITIAL})?(?: {_LAST}){{1,2}}),? (?=(?:M\.?D|D\.?O|R\.?N|N\.?P|PA-?C|Ph\.?D|FRCP|FRCR|"
    r"MBBS|MBChB|FACP|LPN|CRNA|DPM|MRCP)\b)"
)
_FULL = rf"{_NAME}(?: {_INITIAL})?(?: {_LAST}){{1,2}}"
_AGED = re.compile(
    rf"(?<![\w'-])(?P<value>{_FULL}),? (?:(?:is|was) )?an? (?:[a-z]+(?:,|-[a-z]+)? ){{0,3}}[0-9]{{1,3}}[- ]?"
    r"(?:year|yr|month|week|day|y\.?/?o)"
)
"""`Roe Ward is a pleasant 60-year-old`: whoever has an age is a person, whatever words the name is made of."""
_ACTING = re.compile(
    rf"(?<![\w'-])(?P<value>{_FULL})(?:'s (?:mother|father|wife|husband|son|daughter|family)| (?:is|was|has|had|will|"
    r"presents?|presented|returns?|returned|comes?|came|reports?|reported|den(?:ies|ied)|states?|stated|notes?|noted|"
    r"complains?|complained|feels?|felt|underwent|tolerated|agrees?|agreed|understands?|lives?|works?|called|asked))\b"
)
_SPOKEN_TO = re.compile(
    r"\b(?i:saw|met(?: with)?|called|interviewed|(?:spoke|spoken|talked|discussed|reviewed|visited?)(?: \w+){0,2} "
    rf"(?:with|to)|according to|per|on behalf of|care of|informed|told|asked) (?P<value>{_FULL})(?![\w'-])"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'\u2019-]*")
_PAIR = re.compile(rf"(?<![\w'-])(?=(?P<first>{_NAME})(?: {_INITIAL})? (?P<last>{_NAME})(?![\w'-]))")
ORDINARY = frozenset(
    """
    feeling feels well
    the he she they his her him patient pt mother father history has was is denies reports states no normal right
    left acute chronic blood heart chest lung past medical family social review systems physical exam general
    assessment plan impression findings mild moderate severe small large upper lower north south east west will may
    can do mark grant young white black brown green gray grey rose long short rich sunny good best day early love
    joy hope faith grace page case june april august summer winter autumn spring mass mask ray rays bone hand hands
    foot head neck back bell palsy graves parkinson crohn hodgkin murphy foley pap doppler baker barrett cushing
    addison wells glasgow marfan down turner raynaud still sign disease syndrome catheter cell cells care home king
    service street center centre hospital clinic ward unit room emergency department office school church park
    christmas thanksgiving and or with for from in on at to of by not new old see seen today dr mr mrs ms miss prof
    md rn np am pm iv im po bid tid qid prn lasix virginia georgia carolina florence paris jordan israel china india
    america american english spanish french african asian hispanic caucasian ear ears nose mouth throat skin eyes
    abdomen neuro psych pain sore major minor angel temple banks waters stone steel sharp savage close cross battle
    bank bishop bond book branch bridge brooks camp cannon carbon chance chase coffin cook cousin farmer field
    fields fish fisher flood ford fox garden hall hunt hunter judge knight lake lane law lay light lock little low
    man mansion means miles mills moon more moss noble oliver power powers price race rice rivers salmon sands self
    ship shoulder silver speaker speed stark strain strong swift weeks wise wolf wood woods worth wright
    """.split()  # noqa: SIM905  # some hundred literals would read worse
)
"""Words of notes that are names too, or stand where a name could."""


def find_names(text: str) -> Iterator[Identifier]:
    """Names of persons."""
    found = {span for span in _cued(text) if span[1] > span[0]}
    found |= set(_listed(text))
    parts = {word for start, end in found for word in _WORD.findall(text[start:end]) if _can_come_again(word)}
    found |= {match.span() for match in _WORD.finditer(text) if match[0].removesuffix("'s") in parts}
    return (Identifier(start, end, IdentifierKind.NAME) for start, end in found)


def _cued(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_TITLED, _DEGREED):
        yield from (_trimmed(text, *match.span("value")) for match in pattern.finditer(text))
    yield from (match.span("value") for match in _AGED.finditer(text))
    for pattern in (_ACTING, _SPOKEN_TO):
        yield from (match.span("value") for match in pattern.finditer(text) if _is_full_name(match["value"]))
    for match in _LABELLED.finditer(text):
        # Without its colon, a label is a word of a sentence: `patient Denies`, `contact Dermatitis`.
        if _is_name(match["value"], sure=match["mark"].strip() in (":", "=")):
            yield _trimmed(text, *match.span("value"))


def _is_name(value: str, *, sure: bool) -> bool:
    words = _WORD.findall(value)
    if words[0].lower() in ORDINARY:
        return False
    first, last = _census()
    known = [word.upper() in first or word.upper() in last for word in words if len(word) > 1]
    if sure:
        # The list knows few names from outside the United States.
        return any(known) or (len(words) > 1 and not any(word.lower() in ORDINARY for word in words))
    return words[0].upper() in first or (len(known) > 1 and all(known))


def _is_full_name(value: str) -> bool:
    """Whether words that stand where a person would are one: the list knows the first of them.

    Its last names hold half the words of medicine, `Medicine` among them.
    """
    words = _WORD.findall(value)
    if any(word.lower() in ORDINARY or (len(word) > 1 and word.isupper()) for word in words):
        return False
    return words[0].upper() in _census()[0]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the words behind a name that are none: `Dr. Roe Will`, `Mr. Smith Denies`."""
    words = list(_WORD.finditer(text, start, end))
    while len(words) > 1 and words[-1][0].lower() in ORDINARY:
        words.pop()
    return start, words[-1].end() if words else start


def _listed(text: str) -> Iterator[tuple[int, int]]:
    first, last = _census()
    for match in _PAIR.finditer(text):
        words = match["first"].upper(), match["last"].upper()
        if any(word.lower() in ORDINARY or len(word) < 3 for word in words):
            continue
        if words[0] in first and words[1] in last and not (match["first"].isupper() and match["last"].isupper()):
            yield match.start("first"), match.end("last")


def _can_come_again(word: str) -> bool:
    return len(word) > 2 and word[0].isupper() and word.lower() not in ORDINARY


@cache
def _census() -> tuple[frozenset[str], frozenset[str]]:
    """First names and last names, in capitals. Read at the first note: the files are three megabytes."""
    female, male, last = (_column(f"dist.{name}") for name in ("female.first", "male.first", "all.last"))
    return female | male, last


def _column(name: str) -> frozenset[str]:
    lines = files("names").joinpath(name).read_text(encoding="ascii").splitlines()
    return frozenset(line.split(maxsplit=1)[0] for line in lines if line)
