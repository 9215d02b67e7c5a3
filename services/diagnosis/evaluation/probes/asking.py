"""Asking a subject about many variants of a case: together where it can, else one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.subject import Array, Subject
from services.diagnosis.inference.prediction import Prediction
from services.diagnosis.model.modalities import MODALITIES
from shared.codes import DIAGNOSES

LABELS = {coding.code: label for label, coding in enumerate(DIAGNOSES)}


@runtime_checkable
class AsksTogether(Protocol):
    """A subject that answers many cases at once, several times as fast. A wrapper that changes `answer` lacks it."""

    def ask(self, cases: Sequence[CaseInput]) -> Array:
        """[n, classes]: what `ask_all` gives."""


def ask_all(subject: Subject, cases: Sequence[CaseInput]) -> Array:
    """Mean calibrated probabilities [n, classes], each from all that its case holds.

    A case of which nothing can be used gets the subject's prevalence, or equal probabilities where it tells none.
    """
    if isinstance(subject, AsksTogether):
        return subject.ask(cases)
    rows = []
    for case in cases:
        members = subject.answer(case).members
        whole = max(members, key=lambda pattern: pattern.count("+"), default=None)
        rows.append(prevalence(subject) if whole is None else members[whole].mean(0)[: subject.classes])
    return np.array(rows)


def prevalence(subject: Subject) -> Array:
    """[classes]: what is believed without any evidence."""
    known: Any = getattr(subject, "prevalence", None)
    return np.full(subject.classes, 1 / subject.classes) if known is None else np.asarray(known)[: subject.classes]


def restrict(case: CaseInput, modalities: Sequence[str]) -> CaseInput:
    """The case with those modalities alone."""
    facts = "tabular" in modalities
    return replace(
        case,
        images=case.images if "image" in modalities else (),
        notes=case.notes if "note" in modalities else (),
        vitals=case.vitals if "vitals" in modalities else None,
        age_years=case.age_years if facts else None,
        sex=case.sex if facts else None,
        laboratory=case.laboratory if facts else (),
    )


def held(case: CaseInput) -> tuple[str, ...]:
    """The modalities of a case."""
    present = {
        "image": bool(case.images),
        "note": bool(case.notes),
        "vitals": case.vitals is not None,
        "tabular": case.facts,
    }
    return tuple(name for name in MODALITIES if present[name])


def used(prediction: Prediction) -> tuple[str, ...]:
    """The modalities that the prediction rests on: explanations speak of no others."""
    return tuple(name for name in MODALITIES if name in prediction.modalities and prediction.modalities[name].used)


def explained_label(prediction: Prediction) -> int | None:
    """The label that the explanation is about; None where nothing was predicted."""
    return LABELS[prediction.diagnoses[0].coding.code] if prediction.diagnoses else None
