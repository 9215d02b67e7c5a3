"""Results as CDS Hooks cards: what a clinician reads in the chart, in one line and in detail."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any

from services.ehr.domain import changed_since, concluded, has_answer, is_finished, newest, urgency
from shared.contracts.diagnosis import DiagnosisOut, JobStatus, RankedDiagnosis

SUMMARY_LIMIT = 139
"""CDS Hooks 2.0: fewer than 140 characters."""
SOURCE = "Consilium decision support"
OVERRIDE_SYSTEM = "urn:consilium:override-reasons"
OVERRIDE_REASONS = (
    ("clinical-picture-differs", "The clinical picture says otherwise"),
    ("already-known", "Already known or already treated"),
    ("evidence-incomplete", "Important evidence was missing"),
    ("not-useful-now", "Not useful at this moment"),
)
DISCLAIMER = "*Decision support, not a diagnosis: computed by a model and not verified by a clinician.*"
# Pure namespace for card ids: the same call and result give the same card.
_CARDS = uuid.UUID("6f1c9f5e-4a0e-5d0b-9f0e-0c8f1d3a7b52")

Card = dict[str, Any]


def cards_for(results: Sequence[DiagnosisOut], hook_instance: str, review_url: str) -> list[tuple[str, Card]]:
    """The cards of one patient, each with the id of the result it shows; none where there is nothing to say.

    The newest finished result, and before it what has happened since: a newer one under way, or one that failed.
    """
    finished = newest([one for one in results if is_finished(one)])
    last = newest(results)
    shown = [one for one in (last, finished) if one is not None]
    unique = {one.id: one for one in shown}.values()
    return [(one.id, _card(one, hook_instance, review_url)) for one in unique]


def _card(result: DiagnosisOut, hook_instance: str, review_url: str) -> Card:
    card: Card = {
        "uuid": str(uuid.uuid5(_CARDS, f"{hook_instance}/{result.id}/{result.status}")),
        "summary": summary(result),
        "indicator": str(urgency(result)),
        "source": {"label": SOURCE, "url": review_url},
        "detail": detail(result),
        "links": [
            {"label": "Open the case in Consilium", "url": f"{review_url}/#/case/{result.id}", "type": "absolute"}
        ],
    }
    if is_finished(result):
        card["overrideReasons"] = [{"code": c, "system": OVERRIDE_SYSTEM, "display": d} for c, d in OVERRIDE_REASONS]
    return card


def summary(result: DiagnosisOut) -> str:
    """One line, shorter than 140 characters."""
    if has_answer(result) and result.diagnoses:
        first = result.diagnoses[0]
        figures = f": {first.probability:.0%} (interval {_interval(first)})"
        return first.code.display[: SUMMARY_LIMIT - len(figures)] + figures
    if is_finished(result):
        return "The model abstained: this case is not one it can advise on"
    if result.status is JobStatus.FAILED:
        return "The last assessment of this patient failed; it can be asked for again"
    return "An assessment of this patient is under way"


def detail(result: DiagnosisOut) -> str:
    """Markdown: what was found, how sure, from what, and what it is not."""
    if not is_finished(result):
        return _unfinished(result)
    parts = _ranking(result) if has_answer(result) else _abstention(result)
    parts = [_plain(changed_since(result)), *parts, _evidence(result), *_said(result)]
    if result.model and result.case:
        frozen = f"{result.case.as_of:%Y-%m-%d %H:%M %Z}"
        parts.append(f"Model {_plain(result.model.bundle)} {_plain(result.model.version)}; evidence as of {frozen}.")
    return "\n\n".join([*(part for part in parts if part), DISCLAIMER])


def _unfinished(result: DiagnosisOut) -> str:
    if result.status is JobStatus.FAILED:
        return "No result came out of it. The evidence is stored, and the assessment can be asked for again."
    return "The result will be shown when the chart is opened next; the link follows its progress."


def _ranking(result: DiagnosisOut) -> list[str]:
    rows = [
        f"| {_plain(one.code.display)} | {one.probability:.1%} | {_interval(one)} |"
        for one in (result.diagnoses or [])[:5]
    ]
    table = "\n".join(["| Diagnosis | Probability | Interval |", "|---|---|---|", *rows])
    return [table, _prediction_set(result)]


def _prediction_set(result: DiagnosisOut) -> str:
    if result.prediction_set is None:
        return ""
    names = ", ".join(_plain(one.code.display) for one in concluded(result)) or "none"
    guarantee = _plain(result.prediction_set.guarantee)
    return f"Prediction set ({result.prediction_set.coverage:.0%} coverage, {guarantee}): {names}."


def _abstention(result: DiagnosisOut) -> list[str]:
    reasons = "\n".join(f"- {_plain(reason)}" for reason in result.reasons or [])
    return ["The model abstained. It names no diagnosis for this case.", reasons]


def _evidence(result: DiagnosisOut) -> str:
    states = [f"{modality} {status.status}" for modality, status in (result.modalities or {}).items()]
    return f"Evidence: {', '.join(states)}." if states else ""


def _said(result: DiagnosisOut) -> list[str]:
    sentences = result.explanation.summary if result.explanation and has_answer(result) else []
    return [_plain(" ".join(sentence.text for sentence in sentences))]


def _interval(one: RankedDiagnosis) -> str:
    return f"{one.interval[0]:.0%} to {one.interval[1]:.0%}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: no table, link, HTML or emphasis comes out of it."""
    return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", " ".join(text.split()))
