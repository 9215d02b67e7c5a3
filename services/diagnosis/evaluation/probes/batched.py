"""Many variants of a case through a bundle at once, each modality encoded once however often it occurs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.probes.asking import held, restrict
from services.diagnosis.evaluation.subject import Array
from services.diagnosis.model.encoder import Encoded, Inputs
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, pattern_name

if TYPE_CHECKING:
    from services.diagnosis.inference.predictor import Predictor

CHUNK = 8
"""Larger batches fall out of a core's cache and are slower."""
_FUSED = 64
_Item = TypeVar("_Item")


def ask_together(predictor: Predictor, cases: Sequence[CaseInput], prevalence: Array) -> Array:
    """Mean calibrated probabilities [n, classes] of each case from all that input rules let through.

    The same as asking one by one, up to the order of summation. Parts shared by several cases are encoded once.
    Args:
        prevalence: [classes], of a case of which nothing can be used.
    """
    parts = {name: {_part(case, name): case for case in cases if name in held(case)} for name in MODALITIES}
    encoded = {name: _encode(predictor, name, own) for name, own in parts.items()}
    present = [tuple(name for name in held(case) if _part(case, name) in encoded[name]) for case in cases]
    out = np.tile(np.asarray(prevalence, np.float64), (len(cases), 1))
    asked = [i for i, names in enumerate(present) if names]
    for rows in _chunks(asked, _FUSED):
        own = [{name: encoded[name][_part(cases[i], name)] for name in present[i]} for i in rows]
        out[rows] = _fuse(predictor, own, [pattern_name(present[i]) for i in rows])[:, : out.shape[1]]
    return out


def _part(case: CaseInput, name: str) -> Hashable:
    """The same for two cases that share this modality: pixels and texts by identity, a few numbers by value."""
    if name == "tabular":
        return case.age_years, case.sex, case.laboratory
    return id({"image": case.images, "note": case.notes, "vitals": case.vitals}[name])


def _encode(predictor: Predictor, name: str, cases: dict[Hashable, CaseInput]) -> dict[Hashable, Encoded]:
    """Encoded parts, without those that an input rule refuses."""
    inputs = {key: _prepare(predictor, name, case) for key, case in cases.items()}
    kept = [(key, value) for key, value in inputs.items() if value is not None]
    encoder, found = predictor.engine.network.encoder(name), {}
    for chunk in _chunks(kept, CHUNK):
        with torch.no_grad():
            encoded = encoder(collate([value for _, value in chunk]))
        for row, (key, _) in enumerate(chunk):
            found[key] = Encoded(encoded.tokens[row : row + 1], encoded.pooled[row : row + 1])
    return found


def _prepare(predictor: Predictor, name: str, case: CaseInput) -> Inputs | None:
    prepared = predictor.prepare(restrict(case, (name,)))[name]
    return prepared.inputs if prepared.refused is None else None


def collate(inputs: Sequence[Inputs]) -> Inputs:
    """Batches of one as one batch; every encoder ignores what is padded with zeros."""
    return {key: torch.cat(_pad([item[key] for item in inputs])) for key in inputs[0]}


def _pad(tensors: Sequence[Tensor]) -> list[Tensor]:
    size = torch.tensor([tensor.shape[1:] for tensor in tensors]).amax(0).tolist()
    return [
        functional.pad(tensor, [n for s, t in zip(tensor.shape[:0:-1], size[::-1], strict=True) for n in (0, t - s)])
        for tensor in tensors
    ]


def _fuse(predictor: Predictor, encoded: Sequence[dict[str, Encoded]], patterns: Sequence[str]) -> Array:
    network = predictor.engine.network
    tokens = torch.zeros(len(encoded), len(MODALITIES), network.config.tokens, network.config.dim)
    pooled = torch.zeros(len(encoded), len(MODALITIES), network.config.dim)
    available = torch.zeros(len(encoded), len(MODALITIES), dtype=torch.bool)
    for row, parts in enumerate(encoded):
        for name, part in parts.items():
            place = MODALITIES.index(name)
            tokens[row, place], pooled[row, place], available[row, place] = part.tokens[0], part.pooled[0], True
    with torch.no_grad():
        logits = network.fusion(tokens, pooled, available)
        rows = torch.tensor([PATTERNS.index(pattern) for pattern in patterns])
        probabilities: Array = predictor.engine.calibrator.probabilities(logits, rows).numpy()
    return probabilities


def _chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    listed = list(items)
    yield from (listed[i : i + size] for i in range(0, len(listed), size))
