"""Is a running answer steady? Each stay is replayed hour by hour, with nothing known that was not known then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.intervals import summarise
from services.diagnosis.evaluation.probes.asking import ask_all, held, prevalence
from services.diagnosis.evaluation.probes.perturb import keep_readings
from services.diagnosis.evaluation.subject import Array, Subject
from services.diagnosis.inference.uncertainty import logit

HOURS = 72
MARKS_H = (-48, -24, -12, -6, 0)
"""When the log loss is told."""
LATE_H = 12
"""The last hours, whose first diagnosis is compared with the final one."""


def cut_at(case: CaseInput, hours: float) -> CaseInput:
    """The case as it was known at case time + `hours` (<= 0), which becomes its new case time."""
    as_of = case.as_of + timedelta(hours=hours)
    vitals = None
    if case.vitals is not None:
        vitals = keep_readings(case.vitals, case.vitals.times_h <= hours)
    return replace(
        case,
        as_of=as_of,
        images=tuple(image for image in case.images if image.effective_at <= as_of),
        notes=tuple(note for note in case.notes if note.authored <= as_of),
        vitals=replace(vitals, times_h=vitals.times_h - hours) if vitals is not None else None,
    )


def measure_temporal(
    subject: Subject,
    cases: Sequence[LabelledCase],
    task: str,
    *,
    seed: int,
    hours: int = HOURS,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Steadiness of the probabilities over the last hours of each stay; one `advance` per case.

    Args:
        task: whose classes are the subject's labels.
    Returns: `n` (cases with vital signs and a known task), and with intervals over patients:
        `nll_at_-48h` … `nll_at_0h`: log loss with what was known then;
        `nll_slope_per_day`: of a straight line through a case's log loss, negative where knowledge grows;
        `jitter`: mean |change of log-odds| over all labels between hours between which no image or note arrived;
        `jitter_at_rest`: the same before anything happens (the truth's first window), where known: noise alone;
        `flips_per_day`: changes of the first diagnosis; `late_agreement`: share of the last 12 hours whose first
        diagnosis is the final one.
    """
    rows, patients = [], []
    for case in cases:
        if case.inputs.vitals is not None and task in case.targets:
            rows.append(figures_of(replay(subject, case.inputs, hours), case, task, hours))
            patients.append(case.patient)
        advance()
    names = sorted({name for row in rows for name in row})
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    return {"n": len(rows), **summarise(columns, np.array(patients, np.str_), seed=seed)}


def replay(subject: Subject, case: CaseInput, hours: int) -> Array:
    """[hours + 1, classes]: probabilities at each hour, the case time last; the prevalence where nothing is known."""
    cuts = [cut_at(case, float(hour)) for hour in range(-hours, 1)]
    known = [index for index, cut in enumerate(cuts) if held(cut)]
    out = np.tile(prevalence(subject), (len(cuts), 1))
    if known:
        out[known] = ask_all(subject, [cuts[index] for index in known])
    return out


def figures_of(probabilities: Array, case: LabelledCase, task: str, hours: int) -> dict[str, float]:
    """The figures of one stay, as `measure_temporal` names them, from its probabilities [hours + 1, classes]."""
    times = np.arange(-hours, 1)
    nll = -np.log(np.clip(probabilities[:, case.targets[task]], 1e-12, 1))
    change = np.abs(np.diff(logit(probabilities), axis=0)).mean(1)  # [hours]
    quiet = ~_arrivals(case.inputs, times)
    top = probabilities.argmax(1)
    figures = {f"nll_at_{mark}h": float(nll[mark + hours]) for mark in MARKS_H if mark >= -hours}
    figures["nll_slope_per_day"] = float(np.polyfit(times / 24, nll, 1)[0])
    figures["flips_per_day"] = float((top[1:] != top[:-1]).sum() * 24 / hours)
    figures["late_agreement"] = float((top[-LATE_H - 1 : -1] == top[-1]).mean())
    figures["jitter"] = float(change[quiet].mean()) if quiet.any() else np.nan
    onset = _first_event(case)
    if onset is not None:
        rest = quiet & (times[1:] <= onset)
        figures["jitter_at_rest"] = float(change[rest].mean()) if rest.any() else np.nan
    return figures


def _arrivals(case: CaseInput, times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[hours]: whether an image or note came after the one and up to the next of `times`."""
    moments = [image.effective_at for image in case.images] + [note.authored for note in case.notes]
    came = np.array([(moment - case.as_of).total_seconds() / 3600 for moment in moments])
    return np.asarray([((came > a) & (came <= b)).any() for a, b in pairwise(times)])


def _first_event(case: LabelledCase) -> float | None:
    """Hours of the first window of the truth; None where none is known."""
    if case.truth is None or not case.truth.windows:
        return None
    return min(window[1] for window in case.truth.windows)
