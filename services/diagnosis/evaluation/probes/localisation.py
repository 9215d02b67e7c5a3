"""Do explanations point at what the ward drew? Against its masks, spans and windows, with what chance would reach.

Two truths are used. `for`: findings that speak for the explained label by the ward's own tables (`evidence`), against
what the explanation shows as speaking for it. `any`: every finding that was rendered, against whatever the explanation
shows, of either sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, Truth
from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.metrics.intervals import summarise
from services.diagnosis.evaluation.probes.asking import explained_label, used
from services.diagnosis.evaluation.probes.evidence import supporting
from services.diagnosis.evaluation.probes.heat import heat_of
from services.diagnosis.evaluation.probes.overlaps import judge_negations, judge_notes, judge_vitals
from services.diagnosis.evaluation.probes.pointing import Pointing, judge_images
from services.diagnosis.evaluation.subject import Array, Subject
from services.diagnosis.inference.prediction import Prediction
from services.diagnosis.ward.model import MODALITIES, WardModel
from services.diagnosis.ward.tables import WARD


def measure_localisation(
    subject: Subject,
    cases: Sequence[LabelledCase],
    *,
    seed: int,
    model: WardModel = WARD,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Where explanations of the first diagnosis point, over cases whose truth is known; one `advance` per case.

    Returns: `n`, the headline figures `heatmap_pointing_game`, `span_f1`, `window_iou` (kind `for`) with their
        `_chance`, and `image`, `note`, `vitals` with all figures and intervals; see `pointing.judge_image`,
        `overlaps.judge_notes`, `overlaps.judge_negations` and `overlaps.judge_vitals`.
    """
    rows: list[dict[str, float]] = []
    patients, heats = [], []
    for index, case in enumerate(cases):
        if case.truth is not None:
            prediction, rng = subject.explain(case.inputs), np.random.default_rng([seed, index])
            rows.append(_judge(case.inputs, case.truth, prediction, model, rng))
            patients.append(case.patient)
            heats.append(_pointing_case(case.inputs, case.truth, prediction, model))
        advance()
    for row, figures in zip(rows, judge_images(heats), strict=True):
        row.update(figures)
    names = sorted({name for row in rows for name in row})
    columns = {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
    known = {name: int(np.isfinite(values).sum()) for name, values in columns.items()}
    groups: dict[str, Any] = {m: _group(columns, known, m, np.array(patients), seed) for m in MODALITIES}
    return {"n": len(rows), **_headline(groups), **groups}


def _judge(
    case: CaseInput, truth: Truth, prediction: Prediction, model: WardModel, rng: np.random.Generator
) -> dict[str, float]:
    """All figures of one case, named `image_for_pointing` and so on."""
    rows: dict[str, float] = {}
    why = prediction.explanation
    for kind, findings in _kinds(truth, prediction, model):
        found: dict[str, dict[str, float]] = {}
        if "note" in used(prediction) and case.notes:
            found["note"] = judge_notes(case, why, truth, findings, rng)
        if "vitals" in used(prediction):
            found["vitals"] = judge_vitals(case, why, truth, findings, rng)
        rows |= {f"{m}_{kind}_{name}": value for m, own in found.items() for name, value in own.items()}
    if "note" in used(prediction) and case.notes:
        negations = judge_negations(why, case.notes[0].id, truth)
        rows |= {f"note_{name}": value for name, value in negations.items()}
    return rows


def _kinds(truth: Truth, prediction: Prediction, model: WardModel) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Which findings count, by kind; `for` needs the findings' values and a label."""
    label, names = explained_label(prediction), used(prediction)
    if label is None:
        return
    if truth.findings:
        modalities = tuple(m for m in MODALITIES if m in names)
        yield "for", supporting(model, truth.findings, modalities, label)
    yield "any", None


def _pointing_case(case: CaseInput, truth: Truth, prediction: Prediction, model: WardModel) -> Pointing:
    heats = {image.image_id: heat_of(image) for image in prediction.explanation.images}
    if "image" not in used(prediction) or not case.images or case.images[0].id not in heats:
        return {}
    found = {}
    for kind, findings in _kinds(truth, prediction, model):
        masks = [mask for name, mask in truth.masks.items() if findings is None or name in findings]
        if masks and np.any(masks):
            found[kind] = (heats[case.images[0].id], np.any(masks, axis=0))
    return found


def _group(
    columns: dict[str, Array], known: dict[str, int], modality: str, patients: NDArray[np.str_], seed: int
) -> dict[str, Any]:
    own = {name.removeprefix(f"{modality}_"): name for name in columns if name.startswith(f"{modality}_")}
    summary = summarise({short: columns[name] for short, name in own.items()}, patients, seed=seed)
    return {"n": {short: known[name] for short, name in own.items()}, **summary}


def _headline(groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The three figures that every report names, each with its level of chance."""
    places = {
        "heatmap_pointing_game": ("image", "for_pointing"),
        "heatmap_pointing_game_chance": ("image", "for_pointing_chance"),
        "span_f1": ("note", "for_f1"),
        "span_f1_chance": ("note", "for_f1_chance"),
        "window_iou": ("vitals", "for_iou"),
        "window_iou_chance": ("vitals", "for_iou_chance"),
    }
    unknown = {"low": None, "high": None}
    values = {name: groups[m].get(figure) for name, (m, figure) in places.items()}
    intervals = {name: groups[m]["intervals"].get(figure, unknown) for name, (m, figure) in places.items()}
    return {**values, "intervals": intervals}
