"""From a case to the tensors of each encoder, with what is needed to point back at pixels, characters and hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, ImageInput, NoteInput, OtherInput, VitalsInput
from services.diagnosis.inference.attribution.resting import resting_levels
from services.diagnosis.inference.languages import foreign_reason, readable_notes, set_aside
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.preprocessing.image import Letterbox, image_statistics, letterbox
from services.diagnosis.model.preprocessing.note_age import age_hours
from services.diagnosis.model.preprocessing.notes import NoteWindows, note_statistics, window_notes
from services.diagnosis.model.preprocessing.rhythm import rhythm_statistics
from services.diagnosis.model.preprocessing.tabular import (
    CODES,
    Facts,
    TabularScale,
    fact_features,
    fact_statistics,
    select_facts,
)
from services.diagnosis.model.preprocessing.views import view_index
from services.diagnosis.model.preprocessing.vitals import (
    Readings,
    VitalsScale,
    reading_features,
    select,
    vitals_statistics,
)
from services.diagnosis.model.preprocessing.word_order import WordOrder
from services.diagnosis.model.registry import ENCODERS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NOTE_INPUTS = ("input_ids", "attention", "contexts", "sections", "ages")
"""Arrays of `NoteWindows` that the note encoder takes."""
MAX_IMAGES = 4
"""The newest ones; a case with more is told so in `quality`."""


@dataclass(frozen=True)
class Prepared:
    """One modality of one case, ready for its encoder (batch of one)."""

    inputs: Inputs
    statistics: NDArray[np.float64]
    quality: dict[str, Any]
    refused: str | None
    """Why an input rule refuses it; then there are no inputs."""


@dataclass(frozen=True)
class PreparedImages(Prepared):
    images: tuple[ImageInput, ...]
    boxes: tuple[Letterbox, ...]


@dataclass(frozen=True)
class PreparedNotes(Prepared):
    notes: tuple[NoteInput, ...]
    windows: NoteWindows


@dataclass(frozen=True)
class PreparedVitals(Prepared):
    readings: Readings

    @property
    def resting(self) -> NDArray[np.float64]:
        """Standardised levels from which the patient began, one for each reading."""
        readings = self.readings
        return resting_levels(self._levels, readings.times_h, readings.variables)

    @property
    def changes(self) -> NDArray[np.float64]:
        """Standardised distance of each reading from there."""
        return self._levels - self.resting

    @property
    def _levels(self) -> NDArray[np.float64]:
        return np.asarray(self.inputs["readings"][0, :, 0], np.float64)


@dataclass(frozen=True)
class PreparedFacts(Prepared):
    facts: Facts
    known: tuple[str, ...]
    """LOINC codes of what is known."""


@dataclass(frozen=True)
class Preprocessor:
    """The one door to the encoders, in training and in serving."""

    config: ModelConfig
    tokenizer: Tokenizer
    scale: VitalsScale
    facts_scale: TabularScale
    word_order: WordOrder

    def images(self, images: Sequence[ImageInput]) -> PreparedImages:
        """Newest first; a blank image or another part of the body is refused."""
        newest = sorted(images, key=lambda item: (item.effective_at, item.sop_instance_uid), reverse=True)[:MAX_IMAGES]
        squares, boxes = zip(*(letterbox(item.pixels, self.config.image.side) for item in newest), strict=True)
        quality: dict[str, Any] = {"images": len(newest), "leftOut": len(images) - len(newest)}
        quality["contrast"] = round(float(np.mean([item.pixels.std() for item in newest])), 4)
        doubts = [{"image": item.id, **finding} for item in newest for finding in item.findings]
        if doubts:
            quality["findings"] = doubts
        statistics = np.mean([image_statistics(square) for square in squares], axis=0)
        reason = _refuse_images(newest)
        inputs = image_inputs(squares, [image.view_position for image in newest])
        return PreparedImages(inputs, statistics, quality, reason, tuple(newest), boxes)

    def notes(self, notes: Sequence[NoteInput], as_of: datetime | None = None) -> PreparedNotes:
        """Newest first; notes without a single word are refused. Their age counts from `as_of`, the case time.

        Notes in another language than English are left out; where there is no other they are refused.
        """
        readable = readable_notes(notes)
        newest = sorted(readable or notes, key=lambda item: (item.authored, item.id), reverse=True)
        texts = [note.text for note in newest]
        config = self.config.note
        ages_h = None if as_of is None else [age_hours(note.authored, as_of) for note in newest]
        windows = window_notes(texts, self.tokenizer, window=config.window, overlap=config.overlap, ages_h=ages_h)
        quality: dict[str, Any] = {
            "notes": len(newest),
            "pieces": windows.pieces,
            "piecesPerWord": round(windows.pieces_per_word, 3),
            "unknownShare": round(windows.unknown_share, 4),
            "truncated": windows.truncated,
        }
        if len(readable) < len(notes):
            quality["otherLanguage"] = len(notes) - len(readable)
            quality["setAside"] = set_aside(notes)
        reason = _refuse_notes(newest, windows)
        statistics = np.concatenate([note_statistics(texts, windows), self.word_order.statistics(windows, texts)])
        return PreparedNotes(note_inputs(windows), statistics, quality, reason, tuple(newest), windows)

    def vitals(self, vitals: VitalsInput, as_of: datetime | None = None) -> PreparedVitals:
        """Readings that no living person can show are left out; refused when nothing else remains."""
        readings = select(vitals, as_of)
        quality: dict[str, Any] = {"readings": len(readings.times_h), "refused": readings.refused}
        if not len(readings.times_h):
            reason = "no plausible reading in the last 96 hours"
            return PreparedVitals({}, np.zeros(0), quality, reason, readings)
        quality["newestAgeHours"] = round(float(-readings.times_h.max()), 2)
        quality["variables"] = len(np.unique(readings.variables))
        statistics = np.concatenate([vitals_statistics(readings, self.scale), rhythm_statistics(readings, self.scale)])
        return PreparedVitals(vitals_inputs(readings, self.scale), statistics, quality, None, readings)

    def other(self, name: str, other: OtherInput) -> Prepared:
        """A modality that only its own module knows: `prepare(value)` there gives inputs, statistics and quality."""
        module = import_module(ENCODERS[name])
        inputs, statistics, quality, reason = module.prepare(other.value)
        return Prepared(inputs, statistics, quality, reason)

    def facts(self, case: CaseInput) -> PreparedFacts:
        """Age, sex and laboratory values; refused where nothing remains that this bundle was trained on."""
        facts = select_facts(case)
        inputs = fact_inputs(facts, self.facts_scale)
        known = tuple(code for code, there in zip(CODES, inputs["mask"][0].tolist(), strict=True) if there)
        quality = {"facts": len(known), "refused": facts.refused}
        reason = None if known else "nothing of age, sex and laboratory values is known to this model"
        return PreparedFacts(inputs, fact_statistics(facts, self.facts_scale), quality, reason, facts, known)


def fact_inputs(facts: Facts, scale: TabularScale) -> Inputs:
    """Facts of one case as a batch of one."""
    values, mask = fact_features(facts, scale)
    return {"values": torch.from_numpy(values)[None], "mask": torch.from_numpy(mask)[None]}


def image_inputs(squares: Sequence[NDArray[np.float32]], views: Sequence[str | None]) -> Inputs:
    """Squares of one case and the view positions in their headers as a batch of one."""
    pixels = torch.from_numpy(np.stack(squares))[None, :, None]  # [1, images, 1, side, side]
    return {
        "pixels": pixels,
        "present": torch.ones(pixels.shape[:2], dtype=torch.bool),
        "views": torch.tensor([[view_index(view) for view in views]]),
    }


def note_inputs(windows: NoteWindows) -> Inputs:
    """Windows of one case as a batch of one."""
    return {name: torch.from_numpy(getattr(windows, name))[None] for name in NOTE_INPUTS}


def vitals_inputs(readings: Readings, scale: VitalsScale) -> Inputs:
    """Readings of one case as a batch of one."""
    return {
        "readings": torch.from_numpy(reading_features(readings, scale))[None],
        "times_h": torch.from_numpy(readings.times_h.astype(np.float32))[None],
        "clock_h": torch.from_numpy(readings.clocks_h().astype(np.float32))[None],
        "variables": torch.from_numpy(readings.variables)[None],
        "mask": torch.ones((1, len(readings.times_h)), dtype=torch.bool),
    }


def _refuse_notes(notes: Sequence[NoteInput], windows: NoteWindows) -> str | None:
    if not readable_notes(notes):
        return foreign_reason(notes)
    return None if windows.pieces else "the notes hold no words"


def _refuse_images(images: Sequence[ImageInput]) -> str | None:
    for image in images:
        if float(np.ptp(image.pixels)) < 0.02:
            return "the image is blank"
        if image.modality not in {"CR", "DX"}:
            return f"{image.modality} is not a radiograph modality (CR or DX)"
        if image.body_part_examined and image.body_part_examined.upper() not in {"CHEST", "THORAX", "LUNG"}:
            return "the body part examined is not the chest"
    return None
