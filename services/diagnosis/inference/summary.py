"""The explanation in plain sentences, each with the ids of the evidence it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from services.diagnosis.case import NoteInput
from services.diagnosis.inference.prediction import (
    Explanation,
    ImageExplanation,
    ModalityExplanation,
    ModalityOutcome,
    NextBest,
    NoteExplanation,
    RankedDiagnosis,
    SummarySentence,
    VitalsExplanation,
    WithoutModality,
)
from shared.codes import VITAL_SIGNS

_NAMES = {
    "image": "the radiograph",
    "note": "the note",
    "vitals": "the vital signs",
    "tabular": "what is known of age, sex and laboratory values",
}
_RELATIONS = {
    "synergistic": "say more together than one by one",
    "redundant": "say the same in part, so that the second adds less",
    "conflicting": "speak against each other, and each changes what the other weighs",
}
_NOTHING_NATS = 0.005
"""An expected drop that rounds to nothing is called nothing."""
_SIGNS = {sign.coding.code: sign.coding.display for sign in VITAL_SIGNS}


def summarise(
    diagnoses: tuple[RankedDiagnosis, ...],
    outcomes: Mapping[str, ModalityOutcome],
    explanation: Explanation,
    notes: Mapping[str, NoteInput],
    vitals_id: str | None,
) -> tuple[SummarySentence, ...]:
    """Sentences from the most general to the particular."""
    sentences = list(_verdict(diagnoses, outcomes))
    if explanation.modalities is not None:
        sentences += _shares(explanation.modalities.contributions, outcomes)
        sentences += _relations(explanation.modalities, outcomes)
    sentences += _image(explanation.images)
    sentences += _note(explanation.notes, notes)
    sentences += _vitals(explanation.vitals, vitals_id)
    sentences += _rejected(outcomes)
    sentences += _set_aside(outcomes)
    if diagnoses:
        sentences += _what_if(diagnoses[0], explanation.what_if, outcomes)
        sentences += _next_best(explanation.next_best, outcomes)
    return tuple(sentences)


def _verdict(
    diagnoses: tuple[RankedDiagnosis, ...], outcomes: Mapping[str, ModalityOutcome]
) -> Iterator[SummarySentence]:
    if not diagnoses:
        seen = tuple(item for outcome in outcomes.values() for item in outcome.evidence)
        yield SummarySentence("No prediction: none of the evidence is of the kind this model was trained on.", seen)
        return
    first = diagnoses[0]
    used, evidence = _used(outcomes)
    low, high = first.interval
    yield SummarySentence(
        f"Most probable: {first.coding.display}, {first.probability:.0%} (90 % interval {low:.0%} to {high:.0%}), "
        f"from {_list([_NAMES[name] for name in used])}.",
        evidence,
    )


def _shares(contributions: Mapping[str, float], outcomes: Mapping[str, ModalityOutcome]) -> Iterator[SummarySentence]:
    for name, value in sorted(contributions.items(), key=lambda item: -abs(item[1])):
        verb = "speak" if name == "vitals" else "speaks"
        yield SummarySentence(
            f"{_NAMES[name].capitalize()} {verb} {'for' if value > 0 else 'against'} it ({value:+.2f} log-odds).",
            # Facts that no item states are facts of the case as a whole.
            outcomes[name].evidence or _used(outcomes)[1],
        )


def _relations(across: ModalityExplanation, outcomes: Mapping[str, ModalityOutcome]) -> Iterator[SummarySentence]:
    """The pair of modalities that depend most on each other, if any does."""
    pairs = [pair for pair, kind in across.relations.items() if kind in _RELATIONS]
    if pairs:
        pair = max(pairs, key=lambda pair: abs(across.interactions[pair]))
        first, second = pair.split("+")
        yield SummarySentence(
            f"{_capitalised(_NAMES[first])} and {_NAMES[second]} {_RELATIONS[across.relations[pair]]} "
            f"({across.interactions[pair]:+.2f}).",
            (*outcomes[first].evidence, *outcomes[second].evidence),
        )


def _image(images: tuple[ImageExplanation, ...]) -> Iterator[SummarySentence]:
    regions = [(image, region) for image in images for region in image.regions]
    if regions:
        image, region = max(regions, key=lambda item: abs(item[1].contribution))
        yield SummarySentence(
            f"In the image, the region of {region.width:.0f} x {region.height:.0f} pixels at "
            f"({region.x:.0f}, {region.y:.0f}) counts most ({region.contribution:+.2f}).",
            (image.image_id,),
        )


def _note(explained: tuple[NoteExplanation, ...], notes: Mapping[str, NoteInput]) -> Iterator[SummarySentence]:
    spans = [(note.note_id, span) for note in explained for span in note.spans]
    for note_id, span in sorted(spans, key=lambda item: -abs(item[1].contribution))[:2]:
        words = " ".join(notes[note_id].text[span.start : span.end].split())
        direction = "for" if span.contribution > 0 else "against"
        stated = "is denied, which speaks" if span.negated else "speaks"
        yield SummarySentence(f"In the note, “{words}” {stated} {direction} it ({span.contribution:+.2f}).", (note_id,))


def _vitals(explained: tuple[VitalsExplanation, ...], vitals_id: str | None) -> Iterator[SummarySentence]:
    if explained and vitals_id is not None:
        window = max(explained, key=lambda item: abs(item.contribution))
        yield SummarySentence(
            f"Of the vital signs, {_SIGNS[window.code].lower()} from {_clock(window.from_)} to {_clock(window.to)} "
            f"counts most ({window.contribution:+.2f}).",
            (vitals_id,),
        )


def _rejected(outcomes: Mapping[str, ModalityOutcome]) -> Iterator[SummarySentence]:
    for name, outcome in outcomes.items():
        if not outcome.used:
            verb = "were" if name == "vitals" else "was"
            text = f"{_NAMES[name].capitalize()} {verb} not used: {outcome.reason}."
            yield SummarySentence(text, outcome.evidence)


def _set_aside(outcomes: Mapping[str, ModalityOutcome]) -> Iterator[SummarySentence]:
    """Notes that were not read beside others that were; where none was, `_rejected` says why."""
    for outcome in outcomes.values():
        for item in outcome.quality.get("setAside", ()) if outcome.used else ():
            yield SummarySentence(f"A further note was not read: {item['reason']}.", (item["note"],))


def _what_if(
    first: RankedDiagnosis, answers: tuple[WithoutModality, ...], outcomes: Mapping[str, ModalityOutcome]
) -> Iterator[SummarySentence]:
    """Each modality without which another diagnosis would come first; where none, that there is none."""
    known = [answer for answer in answers if answer.coding is not None and answer.probability is not None]
    changed = [answer for answer in known if answer.coding != first.coding]
    for answer in changed:
        if answer.coding is not None:  # known above; the type does not tell
            yield SummarySentence(
                f"Without {_NAMES[answer.modality]}, {answer.coding.display} would come first "
                f"({answer.probability:.0%}).",
                outcomes[answer.modality].evidence,
            )
    if known and not changed:
        lowest = min(known, key=lambda answer: answer.probability or 0.0)
        yield SummarySentence(
            f"It comes first without any single one of {_list([_NAMES[answer.modality] for answer in known])} too; "
            f"least surely without {_NAMES[lowest.modality]} ({lowest.probability:.0%}).",
            tuple(item for answer in known for item in outcomes[answer.modality].evidence),
        )


def _next_best(ranked: tuple[NextBest, ...], outcomes: Mapping[str, ModalityOutcome]) -> Iterator[SummarySentence]:
    """What is not at hand, and which of it would be expected to settle most. It rests on the evidence at hand."""
    if not ranked:
        return
    _, evidence = _used(outcomes)
    best = ranked[0]
    low, high = best.interval
    absent = _list([_NAMES[item.modality] for item in ranked])
    if best.expected_drop <= _NOTHING_NATS:
        yield SummarySentence(f"Not used: {absent}; none is expected to lower the uncertainty.", evidence)
        return
    which, most = ("This", "") if len(ranked) == 1 else (_capitalised(_NAMES[best.modality]), " most")
    yield SummarySentence(
        f"Not used: {absent}. {which} would be expected to lower the uncertainty{most}, by "
        f"{best.expected_drop:.2f} nats (in four of five cases between {low:.2f} and {high:.2f}).",
        evidence,
    )


def _used(outcomes: Mapping[str, ModalityOutcome]) -> tuple[list[str], tuple[str, ...]]:
    """Names of the modalities used, and the ids of their evidence."""
    used = [name for name, outcome in outcomes.items() if outcome.used]
    return used, tuple(item for name in used for item in outcomes[name].evidence)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clock(moment: datetime) -> str:
    return moment.strftime("%d %b %H:%M")


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
