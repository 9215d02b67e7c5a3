"""Training cases from the ward, already in the shape that preprocessing gives, small enough to stay in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.modalities import PATTERNS
from services.diagnosis.model.preprocessing.image import Letterbox, image_statistics, letterbox, resize
from services.diagnosis.model.preprocessing.tabular import Facts, select_facts
from services.diagnosis.model.preprocessing.vitals import Readings, select

Span = tuple[int, int, str, bool]
RENDER_SIDE = 512
"""What an ingest hands to the model; training images take the same way from there."""
CHUNK = 16


@dataclass(frozen=True)
class CaseRecord:
    """One case with its truth. `findings` maps every latent finding to its value."""

    name: str
    square: NDArray[np.uint8]
    statistics: NDArray[np.float64]
    text: str
    readings: Readings
    label: int
    deterioration: bool
    masks: Mapping[str, NDArray[np.uint8]]
    """Finding -> share of each cell of the feature grid that it covers, 0-255."""
    spans: tuple[Span, ...]
    findings: Mapping[str, str]
    posterior: Mapping[str, list[float]]
    facts: Facts
    groups: Mapping[str, str] = field(default_factory=dict)
    """Attribute such as `sex` -> the group that the figures count the patient in."""


@dataclass(frozen=True)
class Cohort:
    """Records with their labels side by side."""

    records: tuple[CaseRecord, ...]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([record.label for record in self.records], np.int64)

    @property
    def deterioration(self) -> NDArray[np.float64]:
        return np.array([record.deterioration for record in self.records], np.float64)

    def posteriors(self) -> dict[str, NDArray[np.float64]]:
        """Pattern -> what is best to believe, given the latent findings of its modalities [n, classes]."""
        return {pattern: np.array([record.posterior[pattern] for record in self.records]) for pattern in PATTERNS}

    def groups(self) -> dict[str, NDArray[np.str_]]:
        """Attribute -> group of every record [n], of the attributes that all records have."""
        shared = set.intersection(*(set(record.groups) for record in self.records))
        return {name: np.array([record.groups[name] for record in self.records]) for name in sorted(shared)}

    def digest(self) -> str:
        """`sha256:<hex>` over every input and label, for the training record."""
        state = hashlib.sha256()
        for record in self.records:
            for array in (
                record.square,
                record.readings.times_h,
                record.readings.values,
                record.readings.variables,
                record.facts.values,
            ):
                state.update(np.ascontiguousarray(array).tobytes())
            state.update(f"{record.text}|{record.label}|{record.deterioration}".encode())
        return "sha256:" + state.hexdigest()


def draw_cohort(
    seed: int, start: int, count: int, *, side: int, processes: int = 1, on_case: Callable[[], None] = lambda: None
) -> Cohort:
    """Cases `start` to `start + count - 1` of ward `seed`; the same whatever the number of processes."""
    records = []
    for chunk in _chunks(seed, range(start, start + count), side, processes):
        for record in chunk:
            records.append(record)
            on_case()
    return Cohort(tuple(records))


def _chunks(seed: int, indices: range, side: int, processes: int) -> Iterator[list[CaseRecord]]:
    jobs = [(seed, indices[i : i + CHUNK], side) for i in range(0, len(indices), CHUNK)]
    if processes <= 1:
        yield from map(_draw, jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw, jobs)


def _draw(job: tuple[int, range, int]) -> list[CaseRecord]:
    seed, indices, side = job
    return [draw_record(seed, index, side) for index in indices]


def draw_record(seed: int, index: int, side: int) -> CaseRecord:
    """One patient of the ward, rendered as an ingest would hand it over, then preprocessed."""
    from services.diagnosis.datasets.ward import subgroups_of
    from services.diagnosis.ward.generate import generate_patient

    patient = generate_patient(seed, index, side=RENDER_SIDE)
    case, truth = patient.case(), patient.truth
    if case.vitals is None:
        raise ValueError("a training case needs all modalities")
    pixels, box = letterbox(case.images[0].pixels, side)
    square = np.round(pixels * 255).astype(np.uint8)
    return CaseRecord(
        name=f"ward:{seed}:{index}",
        square=square,
        statistics=image_statistics((square / 255).astype(np.float32)),
        text=case.notes[0].text,
        readings=select(case.vitals),
        label=truth.label,
        deterioration=truth.deterioration,
        masks={finding: _grid(mask, box) for finding, mask in truth.masks.items()},
        spans=tuple(truth.spans),
        findings=dict(patient.latents.findings),
        posterior=truth.best_beliefs(),
        facts=select_facts(case),
        groups=subgroups_of(patient),
    )


def _grid(mask: NDArray[np.bool_], box: Letterbox) -> NDArray[np.uint8]:
    """The mask's share of every cell of the feature grid (side / 8)."""
    square = np.zeros((box.side, box.side), np.float32)
    inside = resize(mask.astype(np.float32), box.width, box.height)
    square[box.top : box.top + box.height, box.left : box.left + box.width] = inside
    cells = box.side // 8
    shares = square.reshape(cells, 8, cells, 8).mean(axis=(1, 3))
    return np.asarray(np.round(shares * 255), np.uint8)
