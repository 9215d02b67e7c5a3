"""Whether the graphs say what the network says, asked about cases of the ward that were not traced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from services.diagnosis.case import CaseInput, NoteInput, VitalsInput
from services.diagnosis.evaluation.probes.batched import collate
from services.diagnosis.export.graphs import FUSION, FUSION_INPUTS
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded, Inputs
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.model.network import stack
from services.diagnosis.ward.generate import iter_cases

WARD_SEED = 20_260_101
LIMIT = 1e-4
"""Largest difference of a calibrated probability."""
FEW_READINGS = 5
SIDE = 512


@dataclass(frozen=True)
class Difference:
    """What the check found."""

    probabilities: float
    """Largest absolute difference of a calibrated probability, over cases, patterns, members and classes."""
    batches: int
    answers: int
    """Cases times patterns that were compared."""


class OnnxNetwork:
    """The exported graphs at work in onnxruntime."""

    def __init__(self, directory: Path, names: Sequence[str]) -> None:
        """`names`: of the graphs."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._sessions = {
            name: onnxruntime.InferenceSession(
                str(directory / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
            )
            for name in names
        }

    def encode(self, name: str, inputs: Inputs) -> Encoded:
        return Encoded(*self._run(name, inputs))

    def fuse(self, encoded: Mapping[str, Encoded], available: Tensor, config: ModelConfig) -> Tensor:
        """Member logits [members, batch, logits]."""
        told = (*stack(encoded, len(available), config), available)
        return self._run(FUSION, dict(zip(FUSION_INPUTS, told, strict=True)))[0]

    def _run(self, name: str, inputs: Inputs) -> list[Tensor]:
        answers = self._sessions[name].run(None, {key: value.numpy() for key, value in inputs.items()})
        return [torch.from_numpy(answer) for answer in answers]


def example_inputs(predictor: Predictor) -> dict[str, Inputs]:
    """A batch of two ward cases for every modality; what the graphs are traced with."""
    cases = [case for case, _ in iter_cases(WARD_SEED, 0, 2, side=SIDE)]
    return _inputs(predictor, cases)


def check_batches() -> Iterator[tuple[CaseInput, ...]]:
    """Cases alone and together: as drawn, with a note of several windows, with two films, with a few readings."""
    drawn = [case for case, _ in iter_cases(WARD_SEED, 2, 6, side=SIDE)]
    long_note = replace(drawn[0], notes=tuple(_lengthened(note, drawn) for note in drawn[0].notes))
    films = replace(drawn[1], images=tuple(image for case in drawn[1:3] for image in case.images))
    short = replace(drawn[2], vitals=_newest(drawn[2].vitals))
    yield (drawn[3],)
    yield (long_note,)
    yield (films,)
    yield (short,)
    yield (drawn[4], long_note, short, films, drawn[5])


def compare(predictor: Predictor, exported: OnnxNetwork, batches: Iterator[tuple[CaseInput, ...]]) -> Difference:
    """Every batch under every pattern of what its cases have in common, by both networks."""
    largest, count, answers = 0.0, 0, 0
    for cases in batches:
        inputs = _inputs(predictor, cases)
        patterns = [pattern for pattern in PATTERNS if set(pattern.split("+")) <= set(inputs)]
        ours = {name: predictor.engine.network.encoder(name)(part) for name, part in inputs.items()}
        theirs = {name: exported.encode(name, part) for name, part in inputs.items()}
        for pattern in patterns:
            available = torch.tensor(mask_of(pattern)).expand(len(cases), -1).contiguous()
            rows = torch.full((len(cases),), PATTERNS.index(pattern))
            asked = [
                predictor.engine.network.fuse(ours, available),
                exported.fuse(theirs, available, predictor.contents.config),
            ]
            first, second = (predictor.engine.calibrator.member_probabilities(logits, rows) for logits in asked)
            largest = max(largest, float(np.abs((first - second).numpy()).max()))
        count, answers = count + 1, answers + len(cases) * len(patterns)
    return Difference(largest, count, answers)


def _inputs(predictor: Predictor, cases: Sequence[CaseInput]) -> dict[str, Inputs]:
    """Modality -> one batch of inputs, of the modalities that all cases have and no input rule refuses."""
    prepared = [predictor.prepare(case) for case in cases]
    usable = [name for name in MODALITIES if all(name in one and one[name].refused is None for one in prepared)]
    return {name: collate([one[name].inputs for one in prepared]) for name in usable}


def _lengthened(note: NoteInput, others: Sequence[CaseInput]) -> NoteInput:
    return replace(note, text="\n".join([note.text, *(text.text for other in others for text in other.notes)]))


def _newest(vitals: VitalsInput | None) -> VitalsInput | None:
    if vitals is None:
        return None
    last = slice(-FEW_READINGS, None)
    return replace(vitals, times_h=vitals.times_h[last], codes=vitals.codes[last], values=vitals.values[last])
