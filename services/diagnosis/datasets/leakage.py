"""Does the answer show in the question? Checked on every case before anything is trained or measured.

Errors, always: an image, note or reading later than the case time, or later than the moment the outcome was known.
Warnings: a note that names its label (an error when strict), and a source of cases that alone predicts the label.
How much the mere availability of modalities says is measured by the harness, which has the answers at hand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.diagnosis.datasets.base import DatasetError, LabelledCase, Leak, LeakageReport, Place, Task
from services.diagnosis.model.preprocessing.contexts import PLAIN, context_at, find_scopes
from shared.codes import (
    CARDIOGENIC_OEDEMA,
    COPD_EXACERBATION,
    NO_ACUTE_DISEASE,
    PLEURAL_EFFUSION,
    PNEUMONIA,
    PNEUMOTHORAX,
    PULMONARY_EMBOLISM,
    SEPSIS,
)

WORDS: Mapping[str, str] = {
    "pneumonia": r"(?:broncho)?pneumon(?:ia|ias|itis)|covid(?:[- ]?19)?|sars(?:[- ]cov[- ]?2)?|coronavirus|legionella",
    "oedema": r"(?:pulmonary|cardiogenic) o?edema|(?:heart|cardiac) failure|chf",
    "edema": r"o?edema",
    "pneumothorax": r"pneumothora(?:x|ces)|ptx",
    "effusion": r"effusions?|hydrothorax",
    "copd": r"aecopd|copd exacerbation|exacerbation of (?:his |her )?(?:copd|chronic obstructive)",
    "embolism": r"pulmonary embol(?:ism|us|i)|thromboembol(?:ism|ic)",
    "sepsis": r"sepsis|septic(?:a?emia)?|urosepsis",
    "death": r"died|dead|deceased|expired|passed away|death|demise|fatal",
    "covid19": r"covid(?:[- ]?19)?|sars[- ]cov[- ]?2|coronavirus|ncov",
    "other_viral": r"sars|mers|influenza|varicella|viral pneumonia",
    "bacterial": r"bacterial|legionella|klebsiella|streptococc\w+|mycoplasma|chlamydophila|e\. ?coli",
    "fungal": r"fungal|pneumocystis|pcp|aspergill\w+",
    "icu": r"icu|intensive care|intubated|mechanical(?:ly)? ventilat(?:ed|ion)",
}
"""Class -> words that give it away, as a regular expression. A class that is not here is looked for by its name."""
SAME_AS: Mapping[str, str] = {
    PNEUMONIA.code: "pneumonia",
    CARDIOGENIC_OEDEMA.code: "oedema",
    PNEUMOTHORAX.code: "pneumothorax",
    PLEURAL_EFFUSION.code: "effusion",
    COPD_EXACERBATION.code: "copd",
    PULMONARY_EMBOLISM.code: "embolism",
    SEPSIS.code: "sepsis",
    "died": "death",
}
"""Other names of the classes of `WORDS`: SNOMED CT codes and what datasets call them."""
SILENT = frozenset({"no", "none", "absent", "survived", "other", NO_ACUTE_DISEASE.code})
"""Classes without a word of their own."""
SHOWN = 5
"""Places named per finding."""
SOURCES = ("collection", "site")
"""Subgroups that say where a case comes from, not who the patient is."""
TELLING_AUROC = 0.7
LEAST_EVENTS = 20
"""Cases of a class, and of the rest, from which an AUROC found on the very cases that it ranks is more than chance."""
SMALLEST_SOURCE = 10
"""Cases of a source from which a constant label is news."""


def examine(
    name: str,
    cases: Iterable[LabelledCase],
    tasks: Sequence[Task],
    *,
    strict: bool = False,
    dropped: Mapping[str, int] | None = None,
) -> LeakageReport:
    """Look at every case once; pixels are not looked at and may be of any shape.

    Args:
        cases: in the order of their files.
        dropped: what a reader left out, for the report; read after the last case.
    Raises: DatasetError: evidence that a model could not have had; when strict, a note that names its label.
    """
    notes, sources, count = _Notes(tasks), _Sources(tasks), 0
    for case in cases:
        _check_times(case)
        notes.add(case, strict)
        sources.add(case)
        count += 1
    return LeakageReport(name, count, (*notes.leaks(), *sources.leaks()), dict(dropped or {}))


def _check_times(case: LabelledCase) -> None:
    place = Place.parse(case.provenance.source)
    for what, moment in _moments(case):
        if moment > case.inputs.as_of:
            problem = f"The {what} is later than the case time."
            raise DatasetError(place, problem, "Correct the times, or leave it out of the case.")
        if case.outcome_at is not None and moment > case.outcome_at:
            problem = f"The {what} is later than the outcome was known."
            raise DatasetError(place, problem, "Leave it out, or predict a later outcome.")


def _moments(case: LabelledCase) -> Iterator[tuple[str, datetime]]:
    inputs = case.inputs
    yield from (("image", image.effective_at) for image in inputs.images)
    yield from (("note", note.authored) for note in inputs.notes)
    for what, readings in (("vital sign", inputs.vitals), ("reading", case.series)):
        if readings is not None and len(readings.times_h):
            yield what, inputs.as_of + timedelta(hours=float(readings.times_h.max()))


def names_class(text: str, name: str) -> bool:
    """Whether a text asserts a class: a word for it that is neither denied nor about the family."""
    if name in SILENT:
        return False
    pattern = WORDS.get(SAME_AS.get(name, name), re.escape(name.replace("_", " ")))
    found = list(re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE))
    scopes = find_scopes(text) if found else ()
    return any(context_at(scopes, match.start(), match.end()) == PLAIN for match in found)


@dataclass
class _Notes:
    """Counts notes that name the class of their case."""

    tasks: Sequence[Task]
    named: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, case: LabelledCase, strict: bool) -> None:
        for task in self.tasks:
            if task.name not in case.targets or not case.inputs.notes:
                continue
            label = task.classes[case.targets[task.name]]
            self.seen[task.name] += 1
            if not any(names_class(note.text, label) for note in case.inputs.notes):
                continue
            if strict:
                problem = f"The note names the label of the task {task.name}."
                fix = "Mask it, use an earlier note, or check without --strict."
                raise DatasetError(Place.parse(case.provenance.source), problem, fix)
            self.named[task.name] += 1
            if self.named[task.name] <= SHOWN:
                self.places.setdefault(task.name, []).append(case.provenance.source)

    def leaks(self) -> Iterator[Leak]:
        detail = "The note names the case's own label: a model that reads is told the answer."
        for task, count in self.named.items():
            yield Leak("label-in-note", task, count, self.seen[task], tuple(self.places[task]), detail)


@dataclass
class _Sources:
    """Counts labels per source. Memory grows with sources and classes, not with cases."""

    tasks: Sequence[Task]
    counts: dict[tuple[str, str], Counter[tuple[str, int]]] = field(default_factory=dict)
    """(task, attribute) -> (source, class) -> cases."""

    def add(self, case: LabelledCase) -> None:
        for task in self.tasks:
            for attribute in SOURCES:
                if task.name in case.targets and attribute in case.subgroups:
                    counts = self.counts.setdefault((task.name, attribute), Counter())
                    counts[case.subgroups[attribute], case.targets[task.name]] += 1

    def leaks(self) -> Iterator[Leak]:
        classes = {task.name: len(task.classes) for task in self.tasks}
        for (task, attribute), counts in self.counts.items():
            aurocs = [auroc for k in range(classes[task]) if (auroc := _source_auroc(counts, k)) is not None]
            totals: Counter[str] = Counter()
            for (source, _), n in counts.items():
                totals[source] += n
            constant = sum(n for (source, _), n in counts.items() if n == totals[source] and n >= SMALLEST_SOURCE)
            worst = max(aurocs, default=0.0)
            if len(totals) > 1 and (constant or worst >= TELLING_AUROC):
                alone = f"{constant} cases come from a {attribute} with one label alone." if constant else ""
                ranked = f"The {attribute} alone, without any evidence, reaches an AUROC of {worst:.2f}."
                detail = " ".join(part for part in (alone, ranked if aurocs else "") if part)
                yield Leak("source-predicts-label", task, totals.total(), totals.total(), (), detail)


def _source_auroc(counts: Counter[tuple[str, int]], label: int) -> float | None:
    """AUROC of a class against the rest when a case is ranked by the share of that class in its source.

    From the counts alone: the probability that a case of the class outranks one of the rest, ties counting half
    (Hanley & McNeil 1982). None where there are too few of either.
    """
    sources = sorted({source for source, _ in counts})
    events = [counts[source, label] for source in sources]
    others = [sum(n for (s, k), n in counts.items() if s == source and k != label) for source in sources]
    if min(sum(events), sum(others)) < LEAST_EVENTS:
        return None
    shares = [a / (a + b) for a, b in zip(events, others, strict=True)]
    wins = sum(
        events[i] * others[j] * (1.0 if shares[i] > shares[j] else 0.5 if shares[i] == shares[j] else 0.0)
        for i in range(len(sources))
        for j in range(len(sources))
    )
    return wins / (sum(events) * sum(others))
