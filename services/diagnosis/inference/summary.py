"""The explanation in plain sentences, each with the ids of the evidence it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from services.diagnosis.case import NoteInput
from services.diagnosis.inference.prediction import (
    Explanation,
    ImageExplanation,
    ModalityOutcome,
    NoteExplanation,
    RankedDiagnosis,
    SummarySentence,
    VitalsExplanation,
)
from shared.codes import VITAL_SIGNS

_NAMES = {
    "image": "the radiograph",
    "note": "the note",
    "vitals": "the vital signs",
    "tabular": "what is known of age, sex and laboratory values",
}
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
    sentences += _image(explanation.images)
    sentences += _note(explanation.notes, notes)
    sentences += _vitals(explanation.vitals, vitals_id)
    sentences += _rejected(outcomes)
    return tuple(sentences)


def _verdict(
    diagnoses: tuple[RankedDiagnosis, ...], outcomes: Mapping[str, ModalityOutcome]
) -> Iterator[SummarySentence]:
    if not diagnoses:
        yield SummarySentence("No prediction: none of the evidence is of the kind this model was trained on.", ())
        return
    first = diagnoses[0]
    used = [name for name, outcome in outcomes.items() if outcome.used]
    evidence = tuple(item for name in used for item in outcomes[name].evidence)
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
            outcomes[name].evidence,
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
        negated = ", which the note denies," if span.negated else ""
        direction = "speaks for" if span.contribution > 0 else "speaks against"
        yield SummarySentence(
            f"In the note, “{words}”{negated} {direction} it ({span.contribution:+.2f}).",
            (note_id,),
        )


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


def _clock(moment: datetime) -> str:
    return moment.strftime("%d %b %H:%M")


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
