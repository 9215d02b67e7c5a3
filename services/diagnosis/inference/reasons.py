"""Why no advice is given on a case, in the words of whoever treats it: what remains, what is missing, what helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from services.diagnosis.inference.prediction import ModalityOutcome, PredictionSet, RankedDiagnosis, Uncertainty
from services.diagnosis.inference.thresholds import Thresholds
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from shared.codes import DIAGNOSES, Coding

WORDS = {
    "image": "the chest radiograph",
    "note": "the clinical note",
    "vitals": "the vital signs",
    "tabular": "age, sex and laboratory values",
}
WANTED = {
    "image": "a chest radiograph",
    "note": "a clinical note",
    "vitals": "a record of vital signs",
    "tabular": "laboratory values",
}
_NAMED = 6


def abstention_reasons(
    thresholds: Thresholds,
    pattern: str,
    prediction_set: PredictionSet,
    uncertainty: Uncertainty,
    leading: RankedDiagnosis,
    labels: Sequence[Coding] = DIAGNOSES,
) -> tuple[str, ...]:
    """Why not to advise on this case; empty where there is no reason."""
    return tuple(_reasons(thresholds, pattern, prediction_set, uncertainty, leading, labels))


def _reasons(
    thresholds: Thresholds,
    pattern: str,
    prediction_set: PredictionSet,
    uncertainty: Uncertainty,
    leading: RankedDiagnosis,
    labels: Sequence[Coding],
) -> Iterator[str]:
    evidence = listed([WORDS.get(name, name) for name in pattern.split("+")])
    if len(prediction_set.codes) > thresholds.largest_set:
        yield (
            f"{len(prediction_set.codes)} diagnoses remain possible at {prediction_set.coverage:.0%} coverage "
            f"({_named(prediction_set.codes, labels)}): {evidence} cannot tell them apart."
        )
    row, k = PATTERNS.index(pattern), tuple(labels).index(leading.coding)
    if leading.probability < thresholds.confidence.least[row, k]:
        wrong = thresholds.confidence.wrong_below[row, k]
        yield (
            f"{leading.coding.display} leads, but too narrowly to advise it: where it led as narrowly on "
            f"{evidence}, it was wrong in {_in_ten(wrong)} earlier cases."
        )
    if uncertainty.epistemic > thresholds.epistemic[pattern]:
        yield (
            "The parts of the model contradict each other more than on 99.5 % of earlier cases: it has seen too few "
            "patients like this one."
        )


def what_would_help(outcomes: Mapping[str, ModalityOutcome]) -> tuple[str, ...]:
    """What was set aside and why, and what is not there: sentences to go beside any reason to abstain."""
    sentences = [
        f"{WORDS.get(name, name).capitalize()} was set aside: {outcome.reason}."
        if name in ("image", "note")
        else f"{WORDS.get(name, name).capitalize()} were set aside: {outcome.reason}."
        for name, outcome in outcomes.items()
        if not outcome.used
    ]
    absent = [WANTED.get(name, name) for name in MODALITIES if name not in outcomes]
    redo = [WANTED.get(name, name) for name, outcome in outcomes.items() if not outcome.used]
    if absent or redo:
        wanted = [*absent, *(f"{name} that this model can read" for name in redo)]
        sentences.append(f"It may help to add {listed(wanted, 'or')}.")
    return tuple(sentences)


def uncalibrated_note(pattern: str, cases: int) -> str:
    """To be told with every answer under a pattern of too few calibration cases."""
    evidence = listed([WORDS.get(name, name) for name in pattern.split("+")])
    return (
        f"Uncalibrated: only {cases} earlier cases show how often the model is right on {evidence} alone. "
        "Take the probabilities as an order, not as frequencies."
    )


def listed(parts: Sequence[str], word: str = "and") -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _named(codes: Sequence[str], labels: Sequence[Coding]) -> str:
    display = {coding.code: coding.display for coding in labels}
    names = [display.get(code, code) for code in codes]
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_NAMED])} and {more} more"


def _in_ten(share: float) -> str:
    count = round(10 * share)
    if count <= 0:
        return "fewer than 1 of 20"
    return "almost all" if count >= 10 else f"about {count} of 10"
