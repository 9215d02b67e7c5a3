"""The phrases that tell how a finding is meant, after NegEx and ConText.

Chapman et al., J Biomed Inform 34:301 (2001); Harkema et al., J Biomed Inform 42:839 (2009). A space in a pattern
stands for any white space. Tuned on one half of the NegEx test kit; docs/benchmarks.md has the other half's figures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Flag(StrEnum):
    """What can be true of a finding beside being there."""

    NEGATED = "negated"
    UNCERTAIN = "uncertain"
    """Suspected, possible, to be ruled out, or spoken of as a condition that may come."""
    FAMILY = "family"
    """Somebody else's."""
    HISTORICAL = "historical"


REACH = 300
"""Characters: what is no sentence must not cost the square of its length."""
Reach = Literal["forward", "backward", "item"]
"""Which way a cue works: to what follows, to what stands before, to the last item of a list before it."""


@dataclass(frozen=True)
class CueRule:
    """Phrases of one meaning and one reach."""

    flag: Flag
    reach: Reach
    pattern: re.Pattern[str]
    characters: int = REACH
    """How far it reaches at most."""


def _phrases(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)


_BE = r"(?:is|are|was|were|be|been|being|remains?|remained)"
_SEEN = (
    r"(?:seen|present|noted|found|identified|visuali[sz]ed|detected|demonstrated|appreciated|evident|apparent|observed)"
)
_KIN = (
    r"(?:grand)?(?:mother|father|parents?)|mom|dad|brothers?|sisters?|siblings?|aunts?|uncles?|cousins?|"
    r"sons?|daughters?|niece|nephew|husband|wife|spouse|relatives?"
)

RULES = (
    CueRule(
        Flag.NEGATED,
        "forward",
        _phrases(
            r"\b(?:no|without(?: any)?(?: evidence of)?|w/o|den(?:ies|ied|y|ying)|neg(?:ative)?(?: for|(?=\s{0,3}:))|"
            r"(?:free|absence|lack|resolution) of|lacks|never (?:had|developed|experienced)|neither|nor|nil|"
            r"ruled out for|rules out|unremarkable for|non|cannot see|fail(?:s|ed) to (?:reveal|show|demonstrate)|"
            r"declines|(?:not|n't) (?:believe|think|feel|suspect))\b|\(-\)|(?<![\w-])-ve\b"
        ),
    ),
    CueRule(Flag.NEGATED, "forward", _phrases(r"\b(?:not|n't)\b"), characters=60),
    CueRule(
        Flag.NEGATED,
        "backward",
        _phrases(
            rf"\b(?:{_BE} )?(?:ruled out|excluded|absent|negative|denied|(?:now |since )?resolved|not {_SEEN}|"
            rf"no longer {_SEEN}|never {_SEEN})\b(?! for)|\b{_BE} unlikely\b|\bunlikely\b(?=\s*(?:[.,;)]|$))"
        ),
        characters=80,
    ),
    # `Chest pain: no`, `DVT - none`, `cough -ve`, `fever (-)`: the answer to the one item before it.
    CueRule(
        Flag.NEGATED,
        "item",
        _phrases(
            r"(?<!\s)\s{0,3}(?:[:=]|-{1,2}|\u2013)\s{0,3}(?:no|none|nil|neg(?:ative)?|denie[ds]|absent|"
            r"not (?:present|seen|detected))"
            r"\b(?=\s*(?:[.,;)\n]|$))|\s\(-\)|\s-ve\b|\sneg(?:ative)?\b(?=\s*(?:[.,;)\n]|$))"
        ),
        characters=50,
    ),
    CueRule(
        Flag.UNCERTAIN,
        "forward",
        _phrases(
            r"\b(?:possibl[ey]|possibility of|probabl[ey]|likely|presum(?:ed|ably|ptive)|(?:may|might|could)"
            r" (?:be|represent|reflect|have|indicate)|suspect(?:ed|s|ing)?|suspicio(?:n of|n for|us for)|"
            r"concern(?:s|ed|ing)? (?:for|of|about|regarding)|questionable|question of|query|equivocal|"
            r"(?:to )?rule out|r/o|(?:to )?exclude|(?:cannot|can ?not|not) (?:entirely )?(?:rule out|exclude)|"
            r"evaluat(?:e|ion) for|assess for|work-?up for|(?:suggest(?:s|ive of|ing|ed)?)|differential(?: diagnosis)?"
            r"(?: includes| of)?|ddx|versus|vs\.?|if (?:\w+ ){0,3}(?:experiences?|develops?|has|have|gets?|notices?|"
            r"worsens?|occurs?)|return (?:if|for|with)|(?:watch|monitor|call) for|risk (?:of|for)|in case of|"
            r"\?)(?!\w)|\?"
        ),
    ),
    CueRule(
        Flag.UNCERTAIN,
        "backward",
        _phrases(
            rf"\b(?:(?:cannot|can ?not|could not) be (?:ruled out|excluded)|not (?:been )?(?:ruled out|excluded)|"
            rf"{_BE} (?:possible|probable|suspected|questionable|likely|considered)|in question|versus|vs\.?)(?!\w)"
        ),
        characters=80,
    ),
    CueRule(
        Flag.FAMILY,
        "forward",
        _phrases(rf"\b(?:family (?:history|hx)|fam(?:ily)? hx|fhx?|(?:maternal|paternal)|(?:{_KIN}))\b"),
    ),
    CueRule(Flag.FAMILY, "backward", _phrases(rf"\b(?:in|of) (?:her|his|their|the(?: patient's)?) (?:{_KIN})\b")),
    CueRule(
        Flag.HISTORICAL,
        "forward",
        _phrases(
            r"\b(?:histor(?:y|ies) (?:of|for|significant for|includes?|positive for)|(?:medical|surgical) history|"
            r"history (?:is |was )?(?:significant|notable|remarkable|positive) for|h/o|hx(?: of)?|pmhx?|"
            r"status(?:-| )post|s/p|previous(?:ly)?|prior|remote|former(?:ly)?|past|(?<!-)(?<!years\s)old|childhood|"
            r"recovered from)\b"
        ),
    ),
    CueRule(
        Flag.HISTORICAL,
        "backward",
        _phrases(
            r"\b(?:in the (?:distant )?past|(?:years?|months?|decades?) ago|in (?:the )?(?:19|20)\d\d(?:s)?|"
            r"as a (?:child|teenager)|in childhood|last year|since (?:19|20)\d\d)\b"
        ),
        characters=110,
    ),
)

PSEUDO = _phrases(
    r"\b(?:no (?:significant |suspicious |interval |appreciable |definite ){0,3}(?:change|increase|decrease|"
    r"improvement)"
    r"(?! in (?:vision|hearing|bowel))|not (?:only|necessarily|certain|sure|clear|optimal|drain|cause|extend)|"
    r"without difficulty|gram(?:-| )negative|no further|not (?:been )?(?:ruled out|excluded)|"
    r"(?:cannot|can ?not|could not|not) (?:be )?(?:entirely |completely )?(?:ruled out|excluded?|rule out)|"
    r"no (?:doubt|question)|negative (?:pressure|deflections?|feedback)|(?:once|until|when|"
    r"after) [^.;\n]{0,40}resolved|(?:false|rh|rhesus|hiv|her2)(?:-| )negative|"
    r"history (?:and physical|of (?:the )?present)|histor(?:y|ical) (?:was |is )?(?:obtained|provided|taken|limited)|"
    r"(?:prior|previous) to|most likely than not|or not|not on|"
    rf"(?:per|according to|with|by) (?:\w+ )?(?:{_KIN})|(?:{_KIN})(?:'s)? (?:states?|reports?|says?|said|notes?|noted|"
    r"denie[sd]|brought|called|saw|found|describes?|is (?:present|at)|at (?:the )?bedside|was (?:present|called)))\b"
)
"""What looks like a cue and is none."""

STOP = {
    Flag.NEGATED: _phrases(
        r"\b(?:but|however|although|though|yet|except|apart from|aside from|other than|otherwise|besides|still|"
        r"secondary to|due to|because|since|therefore|which|who|as (?:a )?(?:cause|source|etiology|reason)|"
        r"and (?:has|had|is|was|does|did|are|were|now|also|otherwise)|(?:she|he|they|patient|pt) (?:has|had|is|was|does"
        r" have|did have|also)|does have|did have|reports?|complain(?:s|ed|ing) of|endors(?:es|ed)|admits?|"
        r"positive for|presents? with|presented with|developed|consistent with|shows?|demonstrates?|for which)\b"
        r"|\(\+\)|\+ve\b|:(?=\s)"
    ),
    Flag.UNCERTAIN: _phrases(
        r"\b(?:but|however|although|though|except|secondary to|due to|because|therefore|which|given|"
        r"and (?:has|is|was|are|were))\b"
    ),
    Flag.FAMILY: _phrases(
        r"\b(?:personal history|patient(?:'s)? (?:is|has|was|denies|reports|himself|herself)|"
        r"(?:she|he) (?:has|is|was|reports|denies|presents)|presents?|presented)\b"
    ),
    Flag.HISTORICAL: _phrases(
        r"\b(?:but|however|who (?:now |was |is )?(?:presents?|presented|comes?|came|admitted|complains?|"
        r"has been having)|"
        r"presents?|presented|presenting|admitted|now|today|currently|here (?:with|for)|which (?:has|is|was)|"
        r"complain(?:s|ed|ing)|with|as well as|coming in|came in)\b"
    ),
}
"""Where the reach of a cue ends before the sentence does."""
