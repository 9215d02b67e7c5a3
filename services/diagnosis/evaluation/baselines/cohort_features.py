"""A dataset as arrays for cross-validation: streamed once, then vectors learned anew in every fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, ImageInput
from services.diagnosis.datasets.base import LabelledCase, Task
from services.diagnosis.evaluation.baselines.extractors import note_vectors, summarise
from services.diagnosis.evaluation.baselines.features import Array, Features, Rows
from services.diagnosis.model.modalities import MODALITIES

if TYPE_CHECKING:
    from services.diagnosis.inference.predictor import Predictor

NOTE_DIM = 32
EncodeImages = Callable[[tuple[ImageInput, ...]], NDArray[np.float32] | None]
"""Images of one case -> pooled vector [dim]; None where an input rule refuses them."""


@dataclass(frozen=True)
class Evidence:
    """What the candidates learn from, of every case whose label is known and that holds any of it."""

    ids: tuple[str, ...]
    labels: Rows
    patients: NDArray[np.str_]
    images: NDArray[np.float32]
    """[n, dim] by an encoder that is not trained here; NaN rows where there is none."""
    notes: tuple[str | None, ...]
    tables: Array
    """[n, columns] summaries of series, newest measurements and static facts; NaN where unknown."""
    measured: NDArray[np.bool_]
    """[n] is there any measurement besides age and sex."""

    def features(self, train: Rows, seed: int) -> Features:
        """Features of all cases; words are learned from the rows `train` alone. Modalities nobody has are left out."""
        parts = {
            "image": self.images,
            "note": note_vectors(self.notes, train, dim=NOTE_DIM, seed=seed),
            "vitals": np.where(self.measured[:, None], self.tables, np.nan),
        }
        there = {name: ~np.isnan(part).all(axis=1) for name, part in parts.items() if part.shape[1]}
        used = [name for name in MODALITIES if name in there and there[name].any()]
        return Features.of_vectors({name: parts[name] for name in used}, np.stack([there[n] for n in used], axis=1))


def read_evidence(cases: Iterable[LabelledCase], task: Task, encode: EncodeImages | None = None) -> Evidence:
    """Read a stream of cases, keeping no pixels.

    Args:
        encode: such as `encoder_of` a bundle; None: images are left out.
    Raises: DatasetError; ValueError: no case with a known label and any evidence.
    """
    kept: list[tuple[LabelledCase, NDArray[np.float32] | None, str | None]] = []
    for case in cases:
        image = encode(case.inputs.images) if encode is not None and case.inputs.images else None
        note = "\n".join(note.text for note in case.inputs.notes) or None
        if task.name in case.targets and (image is not None or note is not None or _is_measured(case)):
            kept.append((_without_pixels(case), image, note))
    if not kept:
        raise ValueError(f"no case has a known {task.name} and any evidence")
    every = [case for case, _, _ in kept]
    dim = next((len(image) for _, image, _ in kept if image is not None), 0)
    return Evidence(
        ids=tuple(case.id for case in every),
        labels=np.array([case.targets[task.name] for case in every], np.int64),
        patients=np.array([case.patient for case in every]),
        images=np.array([np.full(dim, np.nan) if image is None else image for _, image, _ in kept], np.float32),
        notes=tuple(note for _, _, note in kept),
        tables=tabulate(every),
        measured=np.array([_is_measured(case) for case in every]),
    )


def encoder_of(predictor: Predictor) -> EncodeImages:
    """The image encoder of a bundle, as it serves."""

    def encode(images: tuple[ImageInput, ...]) -> NDArray[np.float32] | None:
        prepared = predictor.preprocessor.images(images)
        if prepared.refused is not None:
            return None
        pooled = predictor.engine.encode("image", prepared).encoded.pooled[0]
        return np.asarray(pooled.numpy(), np.float32)

    return encode


def tabulate(cases: list[LabelledCase]) -> Array:
    """[n, columns]: summaries of every variable of the series, newest value of other measurements, age, sex."""
    variables = sorted({name for case in cases if case.series is not None for name in case.series.variables})
    codes = sorted({code for case in cases for code in case.measurements})
    rows = []
    for case in cases:
        series = case.series
        summary = (
            np.full(8 * len(variables), np.nan)
            if series is None
            else summarise(series.times_h, series.variables, series.values, variables)
        )
        newest = [case.measurements.get(code, np.nan) for code in codes]
        rows.append(np.concatenate([summary, newest, _static(case.inputs)]))
    return np.array(rows)


def _static(inputs: CaseInput) -> list[float]:
    age = np.nan if inputs.age_years is None else inputs.age_years
    return [age, {"F": 0.0, "M": 1.0}.get(inputs.sex or "", np.nan)]


def _is_measured(case: LabelledCase) -> bool:
    return bool(case.measurements) or (case.series is not None and len(case.series.values) > 0)


def _without_pixels(case: LabelledCase) -> LabelledCase:
    return replace(case, inputs=replace(case.inputs, images=(), notes=()), regions={}, truth=None)
