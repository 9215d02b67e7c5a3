"""Minibatches of each modality, with the targets that the pretraining of its encoder uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.preprocessing.notes import NoteWindows, window_notes
from services.diagnosis.model.preprocessing.tabular import TabularScale, fact_features
from services.diagnosis.model.preprocessing.vitals import VitalsScale, reading_features
from services.diagnosis.training.cohort import CaseRecord, Cohort

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ImageBatches:
    """Images as uint8 in memory, floats per batch."""

    squares: Tensor
    masks: Tensor
    """[n, cells, findings], uint8: share of the cell that the finding covers."""

    @classmethod
    def of(cls, cohort: Cohort, findings: Sequence[str]) -> ImageBatches:
        squares = torch.from_numpy(np.stack([record.square for record in cohort.records]))
        cells = (squares.shape[-1] // 8) ** 2
        masks = np.zeros((len(cohort), cells, len(findings)), np.uint8)
        for row, record in enumerate(cohort.records):
            for finding, mask in record.masks.items():
                masks[row, :, findings.index(finding)] = mask.ravel()
        return cls(squares, torch.from_numpy(masks))

    def __call__(self, rows: Indices) -> Inputs:
        pixels = self.squares[torch.from_numpy(rows)].float()[:, None, None] / 255
        return {"pixels": pixels, "present": torch.ones(len(rows), 1, dtype=torch.bool)}

    def places(self, rows: Indices) -> Tensor:
        """[batch, cells, findings] in {0, 1}: a fifth of a cell counts."""
        return (self.masks[torch.from_numpy(rows)] > 51).float()


@dataclass(frozen=True)
class NoteBatches:
    """Windows of every note; padded per batch."""

    windows: tuple[NoteWindows, ...]
    tags: tuple[NDArray[np.int64], ...]
    """Per note [windows, pieces]: 0 outside, else 1 + 2 * finding + negated."""

    @classmethod
    def of(cls, cohort: Cohort, tokenizer: Tokenizer, config: ModelConfig, findings: Sequence[str]) -> NoteBatches:
        note = config.note
        windows = tuple(
            window_notes([record.text], tokenizer, window=note.window, overlap=note.overlap)
            for record in cohort.records
        )
        tags = tuple(_tags(item, record, findings) for item, record in zip(windows, cohort.records, strict=True))
        return cls(windows, tags)

    def __call__(self, rows: Indices) -> Inputs:
        chosen = [self.windows[row] for row in rows]
        return {
            "input_ids": _pad([item.input_ids for item in chosen]),
            "attention": _pad([item.attention for item in chosen]),
            "contexts": _pad([item.contexts for item in chosen]),
        }

    def places(self, rows: Indices) -> Tensor:
        """[batch, windows * pieces] tags."""
        return _pad([self.tags[row] for row in rows]).flatten(1)


@dataclass(frozen=True)
class VitalsBatches:
    """Reading features of every case; padded per batch."""

    features: tuple[NDArray[np.float32], ...]
    records: tuple[CaseRecord, ...]

    @classmethod
    def of(cls, cohort: Cohort, scale: VitalsScale) -> VitalsBatches:
        features = tuple(reading_features(record.readings, scale) for record in cohort.records)
        return cls(features, cohort.records)

    def __call__(self, rows: Indices) -> Inputs:
        readings = [self.records[row].readings for row in rows]
        return {
            "readings": _pad([self.features[row] for row in rows]),
            "times_h": _pad([item.times_h.astype(np.float32) for item in readings]),
            "variables": _pad([item.variables for item in readings]),
            "mask": _pad([np.ones(len(item.times_h), np.bool_) for item in readings]),
        }


@dataclass(frozen=True)
class FactBatches:
    """Age, sex and laboratory values of every case."""

    values: Tensor
    mask: Tensor

    @classmethod
    def of(cls, cohort: Cohort, scale: TabularScale) -> FactBatches:
        features = [fact_features(record.facts, scale) for record in cohort.records]
        return cls(
            torch.from_numpy(np.stack([values for values, _ in features])),
            torch.from_numpy(np.stack([mask for _, mask in features])),
        )

    def __call__(self, rows: Indices) -> Inputs:
        chosen = torch.from_numpy(rows)
        return {"values": self.values[chosen], "mask": self.mask[chosen]}


def _tags(windows: NoteWindows, record: CaseRecord, findings: Sequence[str]) -> NDArray[np.int64]:
    tags = np.zeros(windows.input_ids.shape, np.int64)
    starts, ends = windows.offsets[..., 0], windows.offsets[..., 1]
    for start, end, finding, negated in record.spans:
        tags[(starts < end) & (ends > start)] = 1 + 2 * findings.index(finding) + int(negated)
    return tags


def _pad(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    """Stack arrays of one rank and type, filled up with zeros."""
    shape = np.max([array.shape for array in arrays], axis=0)
    out = np.zeros((len(arrays), *shape), arrays[0].dtype)
    for row, array in enumerate(arrays):
        out[row][tuple(slice(0, size) for size in array.shape)] = array
    return torch.from_numpy(out)
