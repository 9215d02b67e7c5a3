"""Training cases from the ward, already in the shape that preprocessing gives, small enough to stay in memory.

Complete cases have every modality. A film costs ten times as much to draw as the rest together, so there are also
partial cases, of a note or a stream alone, for the encoder that learns from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import VitalsInput
from services.diagnosis.model.modalities import DETERIORATION, DIAGNOSIS, MODALITIES, PATTERNS, SEVERITY, TaskSpec
from services.diagnosis.model.preprocessing.image import Letterbox, image_statistics, letterbox, resize
from services.diagnosis.model.preprocessing.note_age import age_hours
from services.diagnosis.model.preprocessing.tabular import CODES, Facts, select_facts
from services.diagnosis.model.preprocessing.vitals import Readings, select
from services.diagnosis.training.fragments import cut, stated
from services.diagnosis.training.task_losses import UNKNOWN
from shared.codes import SEVERITIES

if TYPE_CHECKING:
    from services.diagnosis.ward.model import Modality
    from services.diagnosis.ward.patient import WardPatient

Span = tuple[int, int, str, bool]
Window = tuple[str, float, float, str]
"""(LOINC code, from hour, to hour, finding)."""
RENDER_SIDE = 512
"""What an ingest hands to the model; training images take the same way from there."""
CHUNK = 16
NO_READINGS = Readings(np.zeros(0), np.zeros(0, np.int64), np.zeros(0), 0)
FRAGMENT_STREAM = 1
"""Keeps the chance of fragments apart from the ward's own."""


@dataclass(frozen=True)
class CaseRecord:
    """One case with its truth. `findings` maps every latent finding to its value.

    A partial case is empty but for one modality; it knows the findings and the posterior of that one alone.
    """

    name: str
    square: NDArray[np.uint8]
    """[side, side]; empty where there is no image."""
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
    """Pattern -> p(y | latent findings of its modalities, age, sex)."""
    worsening: Mapping[str, float]
    """Pattern -> p(deterioration | the same)."""
    facts: Facts
    view: str | None = None
    note_age_h: float | None = None
    """Hours from the writing of the note to the case time."""
    windows: tuple[Window, ...] = ()
    """Where each finding of the vitals shows."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Attribute such as `sex` -> the group that the figures count the patient in."""
    severity: int | None = None
    """Level of the acute illness; None: nobody knows."""
    severity_beliefs: Mapping[str, list[float]] = field(default_factory=dict)
    """Pattern -> p(level | latent findings of its modalities, age, sex); empty: nobody knows."""
    patient: str = ""
    """Pseudonym, where one patient may have several cases; empty: the case is the patient."""

    @property
    def held(self) -> tuple[bool, ...]:
        """[modalities]: what there is of each to encode."""
        there = {
            "image": self.square.size > 0,
            "note": bool(self.text.strip()),
            "vitals": len(self.readings.times_h) > 0,
            "tabular": bool(np.isfinite(self.facts.values).any()),
        }
        return tuple(there.get(name, False) for name in MODALITIES)


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

    @property
    def severity(self) -> NDArray[np.int64]:
        """[n]: levels, `UNKNOWN` where nobody knows."""
        return np.array([UNKNOWN if r.severity is None else r.severity for r in self.records], np.int64)

    @property
    def patients(self) -> NDArray[np.str_]:
        """[n]: pseudonyms, the unit of every bootstrap."""
        return np.array([record.patient or record.name for record in self.records])

    def available(self) -> NDArray[np.bool_]:
        """[n, modalities]: what each case holds."""
        return np.array([record.held for record in self.records], np.bool_).reshape(len(self), len(MODALITIES))

    def take(self, rows: NDArray[np.int64]) -> Cohort:
        """Some of the cases, in the order of `rows`."""
        return Cohort(tuple(self.records[row] for row in rows))

    def posteriors(self) -> dict[str, NDArray[np.float64]]:
        """Pattern -> what is best to believe, given the latent findings of its modalities [n, classes]."""
        return {pattern: np.array([record.posterior[pattern] for record in self.records]) for pattern in PATTERNS}

    def targets(self, tasks: Sequence[TaskSpec]) -> dict[str, NDArray[np.float64]]:
        """Task -> class, level or 0/1 of every case [n]; `UNKNOWN` where nobody knows."""
        known = {DIAGNOSIS: self.labels, DETERIORATION: self.deterioration, SEVERITY: self.severity}
        return {task.name: known[task.name].astype(np.float64) for task in tasks}

    def beliefs(self, pattern: str, tasks: Sequence[TaskSpec]) -> dict[str, NDArray[np.float64]]:
        """Task -> what is best to believe, given the latent findings of the pattern, age and sex.

        Of the diagnosis [n, classes], of deterioration [n], of the severity [n, levels], zeros where nobody knows.
        """
        nothing = [0.0] * len(SEVERITIES)
        of: dict[str, Callable[[CaseRecord], list[float] | float]] = {
            DIAGNOSIS: lambda record: record.posterior[pattern],
            DETERIORATION: lambda record: record.worsening[pattern],
            SEVERITY: lambda record: record.severity_beliefs.get(pattern, nothing),
        }
        return {task.name: np.array([of[task.name](record) for record in self.records]) for task in tasks}

    def groups(self) -> dict[str, NDArray[np.str_]]:
        """Attribute -> group of every record [n], of the attributes that all records have; nothing of nobody."""
        shared = set.intersection(*(set(record.groups) for record in self.records)) if self.records else set()
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
            state.update(f"{record.text}|{record.label}|{record.deterioration}|{record.severity}".encode())
        return "sha256:" + state.hexdigest()


def draw_cohort(
    seed: int,
    start: int,
    count: int,
    *,
    side: int,
    stride: int = 8,
    processes: int = 1,
    on_case: Callable[[], None] = lambda: None,
) -> Cohort:
    """Cases `start` to `start + count - 1` of ward `seed`; the same whatever the number of processes.

    Args:
        side, stride: of the image and of a cell of its feature grid, in pixels.
    """
    draw = partial(draw_record, seed, side=side, stride=stride)
    return _draw_all(draw, range(start, start + count), processes, on_case)


def draw_partial(
    modality: Modality,
    seed: int,
    start: int,
    count: int,
    *,
    fragments: float = 0.0,
    processes: int = 1,
    on_case: Callable[[], None] = lambda: None,
) -> Cohort:
    """Patients `start` to `start + count - 1` of ward `seed` with their note alone, or their stream alone.

    Args:
        modality: `note` or `vitals`.
        fragments: share of the notes of which only some sentences are left.
    """
    draw = partial(draw_part, modality, seed, fragments=fragments)
    return _draw_all(draw, range(start, start + count), processes, on_case)


def _draw_all(draw: Callable[[int], CaseRecord], indices: range, processes: int, on_case: Callable[[], None]) -> Cohort:
    records = []
    for chunk in _chunks(draw, indices, processes):
        for record in chunk:
            records.append(record)
            on_case()
    return Cohort(tuple(records))


def _chunks(draw: Callable[[int], CaseRecord], indices: range, processes: int) -> Iterator[list[CaseRecord]]:
    chunks = [indices[i : i + CHUNK] for i in range(0, len(indices), CHUNK)]
    work = partial(_draw, draw)
    if processes <= 1:
        yield from map(work, chunks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, chunks)


def _draw(draw: Callable[[int], CaseRecord], indices: range) -> list[CaseRecord]:
    return [draw(index) for index in indices]


def draw_record(seed: int, index: int, side: int, stride: int = 8) -> CaseRecord:
    """One patient of the ward, rendered as an ingest would hand it over, then preprocessed."""
    from services.diagnosis.datasets.ward import subgroups_of
    from services.diagnosis.ward.generate import generate_patient

    patient = generate_patient(seed, index, side=RENDER_SIDE)
    case, truth = patient.case(), patient.truth
    if case.vitals is None:
        raise ValueError("a training case needs all modalities")
    square, box = squared(case.images[0].pixels, side)
    return CaseRecord(
        name=f"ward:{seed}:{index}",
        square=square,
        statistics=image_statistics((square / 255).astype(np.float32)),
        text=case.notes[0].text,
        readings=select(case.vitals, case.as_of),
        label=truth.label,
        deterioration=truth.deterioration,
        masks={finding: _grid(mask, box, stride) for finding, mask in truth.masks.items()},
        spans=tuple(truth.spans),
        findings=dict(patient.latents.findings),
        posterior=truth.best_beliefs(),
        worsening=_worsening(patient),
        facts=select_facts(case),
        view=case.images[0].view_position,
        note_age_h=age_hours(case.notes[0].authored, case.as_of),
        windows=tuple(truth.windows),
        groups=subgroups_of(patient),
        severity=truth.severity,
        severity_beliefs=truth.best_severity_beliefs(),
    )


def squared(pixels: NDArray[np.float32], side: int) -> tuple[NDArray[np.uint8], Letterbox]:
    """An image [height, width] in [0, 1] as training keeps it, [side, side], and where it lies in there."""
    inside, box = letterbox(pixels, side)
    return np.round(inside * 255).astype(np.uint8), box


def _worsening(patient: WardPatient) -> dict[str, float]:
    from services.diagnosis.ward import oracle

    given = oracle.deterioration_posterior(patient.model, patient.latents.findings, (), patient.person)
    known = patient.truth.deterioration_posterior
    return {**known, **{f"{pattern}+tabular": value for pattern, value in known.items()}, "tabular": given}


def draw_part(modality: Modality, seed: int, index: int, *, fragments: float = 0.0) -> CaseRecord:
    """One patient of the ward with one cheap modality; the others are never rendered.

    Raises: ValueError: neither `note` nor `vitals`.
    """
    from services.diagnosis.ward.generate import generate_patient
    from services.diagnosis.ward.transmission import received

    patient = generate_patient(seed, index, side=RENDER_SIDE)
    record = _unrendered(patient, modality, f"ward:{seed}:{index}")
    if modality == "vitals":
        readings = select(VitalsInput("", *received(patient.transmission)), patient.as_of)
        return replace(record, readings=readings, windows=patient.stream.windows)
    if modality != "note":
        raise ValueError(f"{modality} cases are drawn complete")
    age_h = age_hours(patient.note_at, patient.as_of)
    whole = replace(record, text=patient.note.text, spans=patient.note.spans, note_age_h=age_h)
    rng = np.random.default_rng([seed, index, FRAGMENT_STREAM])
    return _fragment(whole, patient, rng) if rng.random() < fragments else whole


def _unrendered(patient: WardPatient, modality: Modality, name: str) -> CaseRecord:
    """The truth of a patient as far as one modality shows it, and no evidence."""
    from services.diagnosis.ward import oracle

    truth, shown = patient.latents, {item.name for item in patient.model.findings if item.modality == modality}
    question = patient.model, truth.findings, (modality,), patient.person
    return CaseRecord(
        name=name,
        square=np.zeros((0, 0), np.uint8),
        statistics=np.zeros(0),
        text="",
        readings=NO_READINGS,
        label=truth.label,
        deterioration=truth.deterioration,
        masks={},
        spans=(),
        findings={finding: value for finding, value in truth.findings.items() if finding in shown},
        posterior={modality: oracle.posterior(*question).tolist()},
        worsening={modality: oracle.deterioration_posterior(*question)},
        facts=Facts(np.full(len(CODES), np.nan), 0),
        severity=truth.severity,
        severity_beliefs={modality: oracle.severity_posterior(*question).tolist()},
    )


def _fragment(record: CaseRecord, patient: WardPatient, rng: np.random.Generator) -> CaseRecord:
    """Some sentences of the note, with what is best to believe after these alone."""
    from services.diagnosis.ward import oracle
    from services.diagnosis.ward.sampling import coded

    text, spans = cut(record.text, record.spans, rng)
    findings = stated(record.findings, spans)
    model, persons = patient.model, [patient.person]
    logits = np.log(model.prior_given(persons)[0])
    for name, value in findings.items():
        finding = model.finding(name)
        table = finding.given(persons)[0]  # [diagnoses, values]
        logits = logits + np.log(table[:, finding.values.index(value)])
    belief = np.exp(logits - logits.max())
    belief /= belief.sum()
    values, told = coded(model, patient.latents.findings), frozenset(findings)
    worsens = oracle.outcome_given(model, model.deterioration, values, told)[0, :, 1]  # [diagnoses]
    levels = oracle.outcome_given(model, model.severity, values, told)[0]  # [diagnoses, levels]
    return replace(
        record,
        text=text,
        spans=spans,
        findings=findings,
        posterior={"note": belief.tolist()},
        worsening={"note": float(belief @ worsens)},
        severity_beliefs={"note": (belief @ levels).tolist()},
    )


def _grid(mask: NDArray[np.bool_], box: Letterbox, stride: int) -> NDArray[np.uint8]:
    """The mask's share of every cell of the feature grid, whose cells are `stride` pixels wide."""
    square = np.zeros((box.side, box.side), np.float32)
    inside = resize(mask.astype(np.float32), box.width, box.height)
    square[box.top : box.top + box.height, box.left : box.left + box.width] = inside
    cells = box.side // stride
    shares = square.reshape(cells, stride, cells, stride).mean(axis=(1, 3))
    return np.asarray(np.round(shares * 255), np.uint8)
