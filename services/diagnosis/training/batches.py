"""Minibatches of each modality, with the targets that the pretraining of its encoder uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from services.diagnosis.inference.inputs import NOTE_INPUTS
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.preprocessing.notes import NoteWindows, window_notes
from services.diagnosis.model.preprocessing.tabular import TabularScale, fact_features
from services.diagnosis.model.preprocessing.views import view_index
from services.diagnosis.model.preprocessing.vitals import CODES, VitalsScale, reading_features
from services.diagnosis.training.cohort import CaseRecord, Cohort

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class ImageBatches:
    """Images as uint8 in memory, floats per batch."""

    squares: Tensor
    views: Tensor
    """[n]: index into `views.VIEWS`."""
    masks: Tensor
    """[n, cells, findings], uint8: share of the cell that the finding covers."""

    @classmethod
    def of(cls, cohort: Cohort, findings: Sequence[str]) -> ImageBatches:
        squares = torch.from_numpy(np.stack([record.square for record in cohort.records]))
        cells = max((mask.size for record in cohort.records for mask in record.masks.values()), default=1)
        masks = np.zeros((len(cohort), cells, len(findings)), np.uint8)
        for row, record in enumerate(cohort.records):
            for finding, mask in record.masks.items():
                masks[row, :, findings.index(finding)] = mask.ravel()
        views = torch.tensor([view_index(record.view) for record in cohort.records])
        return cls(squares, views, torch.from_numpy(masks))

    def __call__(self, rows: Indices) -> Inputs:
        chosen = torch.from_numpy(rows)
        pixels = self.squares[chosen].float()[:, None, None] / 255
        present = torch.ones(len(rows), 1, dtype=torch.bool)
        return {"pixels": pixels, "present": present, "views": self.views[chosen][:, None]}

    def places(self, rows: Indices) -> Tensor:
        """[batch, cells, findings] in {0, 1}: a fifth of a cell counts."""
        return (self.masks[torch.from_numpy(rows)] > 51).float()


@dataclass(frozen=True)
class NoteBatches:
    """Windows of every note; padded per batch."""

    windows: tuple[NoteWindows, ...]
    tags: tuple[NDArray[np.int64], ...]
    """Per note [windows, pieces]: 0 outside, else which value of which finding the piece states, from 1."""

    @classmethod
    def of(
        cls, cohort: Cohort, tokenizer: Tokenizer, config: ModelConfig, findings: Mapping[str, Sequence[str]]
    ) -> NoteBatches:
        """`findings`: finding -> its values, the silent one first."""
        note = config.note
        windows = tuple(
            window_notes([record.text], tokenizer, window=note.window, overlap=note.overlap, ages_h=[record.note_age_h])
            for record in cohort.records
        )
        tag_of = tags_of(findings)
        tags = tuple(_tags(item, record, tag_of) for item, record in zip(windows, cohort.records, strict=True))
        return cls(windows, tags)

    def __add__(self, other: NoteBatches) -> NoteBatches:
        """The notes of both, ours first."""
        return NoteBatches(self.windows + other.windows, self.tags + other.tags)

    def __call__(self, rows: Indices) -> Inputs:
        chosen = [self.windows[row] for row in rows]
        return {name: _pad([getattr(item, name) for item in chosen]) for name in NOTE_INPUTS}

    def places(self, rows: Indices) -> Tensor:
        """[batch, windows * pieces] tags."""
        return _pad([self.tags[row] for row in rows]).flatten(1)


@dataclass(frozen=True)
class VitalsBatches:
    """Reading features of every case; padded per batch."""

    features: tuple[NDArray[np.float32], ...]
    records: tuple[CaseRecord, ...]
    findings: tuple[str, ...] = ()

    @classmethod
    def of(cls, cohort: Cohort, scale: VitalsScale, findings: Sequence[str] = ()) -> VitalsBatches:
        features = tuple(reading_features(record.readings, scale) for record in cohort.records)
        return cls(features, cohort.records, tuple(findings))

    def __call__(self, rows: Indices) -> Inputs:
        readings = [self.records[row].readings for row in rows]
        return {
            "readings": _pad([self.features[row] for row in rows]),
            "times_h": _pad([item.times_h.astype(np.float32) for item in readings]),
            "clock_h": _pad([item.clocks_h().astype(np.float32) for item in readings]),
            "variables": _pad([item.variables for item in readings]),
            "mask": _pad([np.ones(len(item.times_h), np.bool_) for item in readings]),
        }

    def places(self, rows: Indices) -> Tensor:
        """[batch, readings]: 0 outside the window of every finding, else 1 + the finding."""
        return _pad([reading_places(self.records[row], self.findings) for row in rows])


def reading_places(record: CaseRecord, findings: Sequence[str]) -> NDArray[np.int64]:
    """[readings]: in which finding's window each lies; the later finding of two wins."""
    readings = record.readings
    places = np.zeros(len(readings.times_h), np.int64)
    for code, start, end, finding in record.windows:
        inside = (readings.times_h >= start) & (readings.times_h <= end)
        places[inside & (readings.variables == CODES.index(code))] = 1 + findings.index(finding)
    return places


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


@dataclass(frozen=True)
class ChosenBatches:
    """Batches of some of the cases: row k is case `rows[k]`."""

    batches: Any
    rows: Indices

    def __call__(self, rows: Indices) -> Inputs:
        inputs: Inputs = self.batches(self.rows[rows])
        return inputs

    def places(self, rows: Indices) -> Tensor:
        places: Tensor = self.batches.places(self.rows[rows])
        return places


def tags_of(findings: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], int]:
    """(finding, value) -> tag, from 1; the first value of a finding leaves no trace and has none."""
    stated = [(finding, value) for finding, values in findings.items() for value in values[1:]]
    return {key: tag for tag, key in enumerate(stated, start=1)}


def _tags(windows: NoteWindows, record: CaseRecord, tag_of: Mapping[tuple[str, str], int]) -> NDArray[np.int64]:
    tags = np.zeros(windows.input_ids.shape, np.int64)
    starts, ends = windows.offsets[..., 0], windows.offsets[..., 1]
    for start, end, finding, _ in record.spans:
        tags[(starts < end) & (ends > start)] = tag_of[finding, record.findings[finding]]
    return tags


def _pad(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    """Stack arrays of one rank and type, filled up with zeros."""
    shape = np.max([array.shape for array in arrays], axis=0)
    out = np.zeros((len(arrays), *shape), arrays[0].dtype)
    for row, array in enumerate(arrays):
        out[row][tuple(slice(0, size) for size in array.shape)] = array
    return torch.from_numpy(out)
