"""What a reporter would say of a radiograph of the ward, statement by statement, each with the claim that it makes.

The admission note says little of what the film shows. These statements are the text that the joint space learns films
from, and is judged on; no prediction ever sees one. Wordings are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.chance import Chance

Side = Literal["left", "right"]
"""Of the patient: a film is looked at face to face, so the patient's left is on the right of the picture."""


@dataclass(frozen=True)
class Claim:
    """What a statement says. `value` and `side` are None where it leaves them open."""

    finding: str
    present: bool
    value: str | None = None
    side: Side | None = None


@dataclass(frozen=True)
class Statement:
    """A sentence or phrase and what it claims."""

    text: str
    claim: Claim


@dataclass(frozen=True)
class Film:
    """What a film shows: finding -> value (`absent` for none), and the side of those that have one."""

    findings: Mapping[str, str]
    sides: Mapping[str, Side]


WORDS: dict[str, dict[str | None, tuple[str, ...]]] = {
    # None: whatever the value
    "consolidation": {
        None: ("consolidation", "airspace consolidation", "airspace opacity", "pneumonic opacity"),
        "upper": ("upper zone consolidation", "consolidation in the upper zone", "upper zone opacity"),
        "lower": ("lower zone consolidation", "consolidation in the lower zone", "lower zone opacity"),
    },
    "interstitial_oedema": {
        None: ("interstitial oedema", "pulmonary oedema", "pulmonary edema", "perihilar haze with septal lines"),
    },
    "pneumothorax": {None: ("pneumothorax", "pleural air", "collapsed lung with a visible pleural edge")},
    "pleural_effusion": {
        None: ("pleural effusion", "pleural fluid", "effusion"),
        "both_sides": ("bilateral pleural effusions", "pleural fluid on both sides", "effusions on both sides"),
    },
    "hyperinflation": {None: ("hyperinflation", "hyperinflated lungs", "overinflated lungs")},
    "cardiomegaly": {None: ("cardiomegaly", "enlarged heart", "enlarged cardiac silhouette", "large heart")},
    "device": {
        None: ("device", "support device", "medical device"),
        "central_line": ("central line", "central venous catheter", "central venous line", "line or tube", "catheter"),
        "pacemaker": ("pacemaker", "pacemaker with its lead", "pacing device"),
    },
    "basal_band": {None: ("basal band", "band atelectasis", "linear atelectasis at the base", "basal atelectasis")},
}
"""Finding -> value -> nouns."""
SIDED = frozenset({"consolidation", "pneumothorax", "pleural_effusion", "basal_band"})
"""Findings whose side a reporter names. Lines cross the middle, so theirs is left open."""
PRESENT = (
    "{x}",
    "{x}.",
    "{x} is seen",
    "there is {x}",
    "{x} is present",
    "film shows {x}",
    "is there {x}?",
    "any {x}?",
)
IN_SITU = ("{x} in situ", "{x} in place", "{x} noted")
ABSENT = ("no {x}", "no {x}.", "no evidence of {x}", "{x} is absent", "without {x}", "{x} is not seen")
ON_A_SIDE = ("{side} {x}", "{side}-sided {x}", "{x} on the {side}")


def side_of(mask: NDArray[Any]) -> Side | None:
    """The patient's side that holds most of a mask [rows, columns] of weights; None: an empty one, or an even one."""
    middle = mask.shape[1] // 2
    on_picture_left, on_picture_right = float(mask[:, :middle].sum()), float(mask[:, -middle:].sum())
    if on_picture_left == on_picture_right:
        return None
    return "right" if on_picture_left > on_picture_right else "left"


def film_of(findings: Mapping[str, str], masks: Mapping[str, NDArray[Any]]) -> Film:
    """What the film of these latent findings shows; sides are read off the masks.

    A finding that the picture hides (an empty mask) is not on the film.
    """
    shown = {
        name: findings[name] if np.any(masks[name]) else "absent"
        for name in WORDS
        if name in masks and name in findings
    }
    sides = {name: side_of(masks[name]) for name in shown if name in SIDED and findings[name] != "both_sides"}
    return Film(
        {name: shown.get(name, "absent") for name in WORDS},
        {name: side for name, side in sides.items() if side is not None and shown[name] != "absent"},
    )


def holds(claim: Claim, film: Film) -> bool:
    """Whether a claim is true of a film. A one-sided claim of a finding on both sides is true."""
    value = film.findings[claim.finding]
    fits = value != "absent" and claim.value in (None, value)
    if claim.side is not None and value != "both_sides":
        fits = fits and film.sides.get(claim.finding) == claim.side
    return fits == claim.present


def describe(film: Film, chance: Chance, *, denied: int = 2) -> tuple[Statement, ...]:
    """A short report: what is there, in one wording each, and up to `denied` findings that are not."""
    there = [name for name, value in film.findings.items() if value != "absent"]
    missing = [name for name, value in film.findings.items() if value == "absent"]
    claims = [_affirm(name, film, chance) for name in there]
    claims += [_deny(name, chance) for name in chance.some(missing, denied if there else denied + 1)]
    return tuple(word(claim, chance) for claim in chance.some(claims, len(claims)))


def word(claim: Claim, chance: Chance) -> Statement:
    """A claim in one of its wordings."""
    noun = chance.pick(WORDS[claim.finding][claim.value])
    if claim.side is not None:
        noun = chance.pick(ON_A_SIDE).format(side=claim.side, x=noun)
    forms = ABSENT if not claim.present else PRESENT + (IN_SITU if claim.finding == "device" else ())
    return Statement(chance.pick(forms).format(x=noun), claim)


def _affirm(name: str, film: Film, chance: Chance) -> Claim:
    value, side = film.findings[name], film.sides.get(name)
    return Claim(
        name,
        present=True,
        value=value if value in WORDS[name] and chance.happens(0.7) else None,
        side=side if chance.happens(0.6) else None,
    )


def _deny(name: str, chance: Chance) -> Claim:
    """That nothing of the kind is there, or nothing of one of its values."""
    return Claim(name, present=False, value=chance.pick([*WORDS[name]]) if chance.happens(0.3) else None)


def all_claims() -> tuple[Claim, ...]:
    """Every claim that a wording exists for, in a fixed order."""
    claims = []
    for name, values in WORDS.items():
        sides: tuple[Side | None, ...] = (None, "left", "right") if name in SIDED else (None,)
        for value in values:
            affirmed = sides if value != "both_sides" else (None,)
            claims += [Claim(name, present=True, value=value, side=side) for side in affirmed]
            claims.append(Claim(name, present=False, value=value))
    return tuple(claims)
