"""What is familiar to each encoder: features of plain and varied inputs, from which strangers are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from services.diagnosis.inference.inputs import note_inputs
from services.diagnosis.inference.ood import OodReference, fit_ood
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.model.preprocessing.image import image_statistics
from services.diagnosis.model.preprocessing.notes import note_statistics, window_notes
from services.diagnosis.model.preprocessing.rhythm import rhythm_statistics
from services.diagnosis.model.preprocessing.vitals import Readings, vitals_statistics
from services.diagnosis.model.preprocessing.word_order import WordOrder
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side
from services.diagnosis.training.note_variants import vary_text
from services.diagnosis.training.stages import Feeds, Vocabulary, variations

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
BATCH = 50


def fit_references(
    network: ConsiliumNetwork,
    vocabulary: Vocabulary,
    order: WordOrder,
    train: tuple[Cohort, Feeds],
    held_out: tuple[Cohort, Feeds],
    *,
    seed: int,
    at_most: int = 3000,
    rounds: int = 1,
    processes: int = 1,
) -> dict[str, OodReference]:
    """Out-of-distribution statistics of every modality, on plain and varied inputs alike, side by side.

    Args:
        rounds: how often the cases are gone through. A conformal p-value can only be below 0.01 with a hundred inputs
            to compare with: of a small split, every round after the first shows each case in another variation.
    """

    def job(name: str) -> Job:
        def run(_: Advance) -> OodReference:
            fitted, judged = (
                ood_features(
                    network, name, *cases, vocabulary, order, seed=seed + place, at_most=at_most, rounds=rounds
                )
                for place, cases in enumerate((train, held_out))
            )
            # Where no held-out case has it the training cases must do; they are too few to reject anything by.
            judged = judged if len(judged) else fitted
            return fit_ood(fitted, judged, encoded=network.config.dim)

        return run

    answers = run_side_by_side([job(name) for name in MODALITIES], processes=processes)
    return dict(zip(MODALITIES, answers, strict=True))


def ood_features(
    network: ConsiliumNetwork,
    name: str,
    cohort: Cohort,
    feeds: Feeds,
    vocabulary: Vocabulary,
    order: WordOrder,
    *,
    seed: int,
    at_most: int,
    varied: bool = True,
    rounds: int = 1,
) -> Array:
    """[n, features] of the cases that hold the modality: pooled features beside input statistics.

    Every second batch of the first round is varied, and every batch of the others.
    """
    rng, parts = torch.Generator().manual_seed(seed), []
    texts = np.random.default_rng(seed)
    cases = feeds.holding(name)[:at_most]
    batches = [cases[start : start + BATCH] for start in range(0, len(cases), BATCH)]
    for batch, rows in enumerate(batches * rounds):
        vary = varied and (batch >= len(batches) or batch % 2 == 1)
        if name == "note" and vary:
            parts.append(_varied_notes(network, cohort, vocabulary, order, rows, texts))
            continue
        inputs = feeds.plain(name, rows)
        if vary:
            inputs = variations(network.config)[name](inputs, rng)
        with torch.no_grad():
            pooled = network.encoder(name)(inputs).pooled.numpy().astype(np.float64)
        statistics = _statistics(name, inputs, cohort, feeds, vocabulary, order, rows)
        parts.append(np.concatenate([pooled, statistics], axis=1))
    return np.concatenate(parts) if parts else np.zeros((0, 0))


def _varied_notes(
    network: ConsiliumNetwork,
    cohort: Cohort,
    vocabulary: Vocabulary,
    order: WordOrder,
    rows: Rows,
    rng: np.random.Generator,
) -> Array:
    config, out = network.config.note, []
    for row in rows:
        record = cohort.records[row]
        text, size = vary_text(record.text, rng), {"window": config.window, "overlap": config.overlap}
        windows = window_notes([text], vocabulary.tokenizer, ages_h=[record.note_age_h], **size)
        with torch.no_grad():
            pooled = network.encoder("note")(note_inputs(windows)).pooled[0].numpy().astype(np.float64)
        out.append(np.concatenate([pooled, note_statistics([text], windows), order.statistics(windows, [text])]))
    return np.stack(out)


def _statistics(
    name: str,
    inputs: Inputs,
    cohort: Cohort,
    feeds: Feeds,
    vocabulary: Vocabulary,
    order: WordOrder,
    rows: Rows,
) -> Array:
    if name == "image":
        return np.stack([image_statistics(square) for square in inputs["pixels"][:, 0, 0].numpy()])
    if name == "note":
        notes = [([cohort.records[i].text], feeds.note.windows[i]) for i in rows]
        return np.stack([np.concatenate([note_statistics(t, w), order.statistics(w, t)]) for t, w in notes])
    if name == "tabular":
        return inputs["values"].numpy().astype(np.float64)
    kept = inputs["mask"].numpy()
    shown = [_only(cohort.records[row].readings, kept[line]) for line, row in enumerate(rows)]
    scale = vocabulary.scale
    return np.stack([np.concatenate([vitals_statistics(r, scale), rhythm_statistics(r, scale)]) for r in shown])


def _only(readings: Readings, kept: NDArray[np.bool_]) -> Readings:
    own = kept[: len(readings.times_h)]
    return replace(
        readings,
        times_h=readings.times_h[own],
        variables=readings.variables[own],
        values=readings.values[own],
        refused=0,
    )
