"""What must be known of a bundle before it may answer: the gates between its stages.

A gate is open or passed by what the log holds: a verified signature, an evaluation with intervals, every subgroup above
a floor, the 31 source attributes (45 CFR 170.315(b)(11)(iv)(B)), the approvals of two people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.audit.domain.registry import Bundle, Stage

NOT_DONE = "not done:"
"""How an answer begins that gives nothing but the reason."""
_PER_CATEGORY = (4, 4, 2, 4, 2, 4, 5, 4, 2)
_NUMERALS = ("i", "ii", "iii", "iv", "v")
SOURCE_ATTRIBUTES = tuple(
    f"{category}.{numeral}" for category, count in enumerate(_PER_CATEGORY, 1) for numeral in _NUMERALS[:count]
)
"""The rule's own numbering, `1.i` to `9.ii`."""
APPROVALS = 2
FLOOR_FIGURE = "macroAuroc"


class Gate(StrEnum):
    """What is asked for."""

    SIGNATURE = "signature"
    SOURCE_ATTRIBUTES = "source-attributes"
    EVALUATION = "evaluation"
    SUBGROUPS = "subgroups"
    APPROVALS = "approvals"


REQUIRED: Mapping[Stage, tuple[Gate, ...]] = {
    Stage.SHADOW: (Gate.SIGNATURE,),
    Stage.CANARY: tuple(Gate),
    Stage.ACTIVE: tuple(Gate),
}
"""By the stage that a bundle is to enter; the others take every bundle."""


class EvidenceKind(StrEnum):
    """What the log may hold for a bundle."""

    SIGNATURE = "signature"
    EVALUATION = "evaluation"
    APPROVAL = "approval"


@dataclass(frozen=True)
class Evidence:
    """One logged piece; `content` is what was sent, as JSON."""

    index: int
    id: str
    bundle_id: str
    kind: EvidenceKind
    content: dict[str, Any]
    at: datetime
    issuer: str
    actor: str


@dataclass(frozen=True)
class GateState:
    """Whether a gate is passed, what was found, and what there is to do where it is not."""

    gate: Gate
    passed: bool
    found: str
    fix: str = ""


def states_of(bundle: Bundle, evidence: Sequence[Evidence], floor: float) -> tuple[GateState, ...]:
    """Every gate for a bundle, from its evidence in the order of the log.

    Args: floor: what the lower end of each subgroup's interval of the macro AUROC must reach.
    """
    signature, evaluation = _last(evidence, EvidenceKind.SIGNATURE), _last(evidence, EvidenceKind.EVALUATION)
    return (
        _signature(signature),
        _source_attributes(bundle.card),
        _evaluation(evaluation),
        _subgroups(evaluation, floor),
        _approvals(standing_approvals(evidence)),
    )


def standing_approvals(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The last approval of each person since the newest evaluation: an older one spoke of something else."""
    evaluation = _last(evidence, EvidenceKind.EVALUATION)
    seen = -1 if evaluation is None else evaluation.index
    given = (one for one in evidence if one.kind is EvidenceKind.APPROVAL and one.index > seen)
    return list({one.actor: one for one in given}.values())


def _last(evidence: Sequence[Evidence], kind: EvidenceKind) -> Evidence | None:
    return next((one for one in reversed(evidence) if one.kind is kind), None)


def _signature(last: Evidence | None) -> GateState:
    fix = "verify it with a key that you trust: POST /models/{id}/signature, as a worker does for each bundle it finds"
    if last is None:
        return GateState(Gate.SIGNATURE, False, "nobody has verified its signature", fix)
    if last.content["result"] != "verified":
        return GateState(Gate.SIGNATURE, False, "its signature was refused when it was last looked at", fix)
    return GateState(Gate.SIGNATURE, True, f"verified with the key {last.content['keyId'][:23]}…")


def _source_attributes(card: Mapping[str, Any]) -> GateState:
    said = dict(_attributes(card))
    missing = [name for name in SOURCE_ATTRIBUTES if not said.get(name, "").lower().removeprefix(NOT_DONE).strip()]
    if missing:
        fix = f"state them in the card, or write `{NOT_DONE}` and the reason; a card belongs to a version of the bundle"
        found = f"{len(missing)} of {len(SOURCE_ATTRIBUTES)} are neither stated nor excused: {', '.join(missing)}"
        return GateState(Gate.SOURCE_ATTRIBUTES, False, found, fix)
    excused = sum(said[name].lower().startswith(NOT_DONE) for name in SOURCE_ATTRIBUTES)
    count = len(SOURCE_ATTRIBUTES)
    return GateState(Gate.SOURCE_ATTRIBUTES, True, f"{count - excused} stated, {excused} not done with the reason")


def _attributes(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    held = card.get("sourceAttributes")
    categories = held.get("categories") if isinstance(held, Mapping) else None
    for category in categories if isinstance(categories, list) else ():
        attributes = category.get("attributes") if isinstance(category, Mapping) else None
        for one in attributes if isinstance(attributes, list) else ():
            if isinstance(one, Mapping) and isinstance(one.get("text"), str):
                yield str(one.get("id")), one["text"]


def _evaluation(last: Evidence | None) -> GateState:
    if last is None:
        fix = "judge it (`consilium evaluate --json`) and hand the report in: POST /models/{id}/evaluations"
        return GateState(Gate.EVALUATION, False, "no evaluation of it is known", fix)
    found = f"{len(last.content['figures'])} figures with intervals on {last.content['n']} cases"
    return GateState(Gate.EVALUATION, True, f"{found} of {last.content['dataset']}")


def _subgroups(last: Evidence | None, floor: float) -> GateState:
    groups = [] if last is None else last.content["subgroups"]
    judged = [group for group in groups if FLOOR_FIGURE in group["figures"]]
    if len(judged) < 2:
        fix = "evaluate it on cases of which at least two groups are large enough to be judged"
        return GateState(Gate.SUBGROUPS, False, f"{len(judged)} groups of patients were judged", fix)
    below = [group for group in judged if group["figures"][FLOOR_FIGURE]["low"] < floor]
    if below:
        names = ", ".join(f"{group['attribute']} {group['group']} (n = {group['n']})" for group in below[:20])
        fix = "serve these groups better, or judge more of their cases where the interval is wide for want of them"
        return GateState(Gate.SUBGROUPS, False, f"the macro AUROC may be below {floor:g} for {names}", fix)
    lowest = min(group["figures"][FLOOR_FIGURE]["low"] for group in judged)
    unjudged = len(groups) - len(judged)
    found = f"{len(judged)} groups, the lowest bound of the macro AUROC {lowest:.3f}, floor {floor:g}"
    return GateState(Gate.SUBGROUPS, True, found + (f"; {unjudged} too small to be judged" if unjudged else ""))


def _approvals(standing: Sequence[Evidence]) -> GateState:
    if len(standing) < APPROVALS:
        fix = f"have {APPROVALS} people approve it who did not register it: POST /models/{{id}}/approvals"
        return GateState(Gate.APPROVALS, False, f"{len(standing)} of {APPROVALS} people have approved it", fix)
    return GateState(Gate.APPROVALS, True, f"{len(standing)} people have approved it")
