"""The trained parts at work: encode, ask about every subset at once, attribute. All torch of the inference is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.bundle.contents import BundleContents
from services.diagnosis.inference.attribution.gradients import MOST_NODES, Attribution, integrated_gradients
from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.inference.encodings import Encodings
from services.diagnosis.inference.inputs import (
    Prepared,
    PreparedFacts,
    PreparedImages,
    PreparedNotes,
    PreparedVitals,
)
from services.diagnosis.model.encoder import Encoded, Positions
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of, pattern_name, subsets
from services.diagnosis.model.network import ConsiliumNetwork, stack
from services.diagnosis.model.note_encoder import NoteEncoder
from services.diagnosis.model.side_by_side import SideBySide

Array = NDArray[np.float64]
LONG_NOTE_WINDOWS = 4


@dataclass(frozen=True)
class EncodedModality:
    """One modality of one case: what the encoder saw, and the features its distribution is judged by."""

    encoded: Encoded
    positions: Positions
    features: Array


@dataclass(frozen=True)
class Engine:
    """Network, calibrator and the start of image attributions; of cases it holds the newest encodings alone."""

    network: ConsiliumNetwork
    calibrator: Calibrator
    image_baseline: Tensor

    @classmethod
    def build(cls, contents: BundleContents) -> Engine:
        """Raises: RuntimeError: weights that do not fit the configuration."""
        network = ConsiliumNetwork(contents.config)
        network.load_state_dict(dict(contents.weights))
        network.eval().requires_grad_(False)
        return cls(network, contents.calibrator, torch.from_numpy(contents.image_baseline))

    def encode(self, name: str, prepared: Prepared) -> EncodedModality:
        """One modality of a case, encoded unless just this was encoded a short while ago."""
        return self._encodings.of(name, prepared, lambda: self._encode(name, prepared))

    def forget(self) -> None:
        """Drop the kept encodings."""
        self._encodings.forget()

    @cached_property
    def _encodings(self) -> Encodings[EncodedModality]:
        return Encodings()

    def _encode(self, name: str, prepared: Prepared) -> EncodedModality:
        encoder = cast(Any, self.network.encoders[name])
        with torch.no_grad():
            positions = encoder.positions(prepared.inputs)
            encoded = encoder.pool(positions)
        features = np.concatenate([encoded.pooled[0].numpy().astype(np.float64), prepared.statistics])
        return EncodedModality(encoded, positions, features)

    def ask_every_subset(self, encoded: Mapping[str, Encoded]) -> dict[str, Array]:
        """Pattern -> calibrated member probabilities [members, logits], for all subsets of the modalities given."""
        patterns = [pattern_name(subset) for subset in subsets(tuple(encoded))]
        available = torch.tensor([mask_of(pattern) for pattern in patterns])
        with torch.no_grad():
            logits = self._fuse(encoded, available)
            rows = torch.tensor([PATTERNS.index(pattern) for pattern in patterns])
            members = self.calibrator.member_probabilities(logits, rows).numpy()
        return {pattern: members[:, row] for row, pattern in enumerate(patterns)}

    @cached_property
    def _members(self) -> SideBySide:
        return SideBySide(self.network.members())

    def _fuse(self, encoded: Mapping[str, Encoded], available: Tensor) -> Tensor:
        return self._members(*stack(encoded, len(available), self.network.config), available)

    def attribute(self, name: str, prepared: Prepared, case: Mapping[str, EncodedModality], label: int) -> Attribution:
        """Attributions inside one modality to the log-odds of a label: cells, word pieces, readings or facts."""
        target = self._target(name, {key: item.encoded for key, item in case.items()}, label)
        if isinstance(prepared, PreparedImages):
            return self._attribute_images(prepared, case[name].positions, target)
        if isinstance(prepared, PreparedNotes):
            return self._attribute_notes(prepared, target)
        if isinstance(prepared, PreparedVitals):
            return self._attribute_vitals(prepared, target)
        if isinstance(prepared, PreparedFacts):
            return self._attribute_facts(prepared, target)
        return self._attribute_positions(name, case[name].positions, target)

    def _attribute_positions(self, name: str, positions: Positions, target: Callable[[Encoded], Tensor]) -> Attribution:
        """[positions] of a modality that has no attribution of its own, from nothing seen to what its encoder saw."""
        encoder = cast(Any, self.network.encoders[name])

        def through(x: Tensor) -> Tensor:
            return target(encoder.pool(Positions(x, positions.mask.expand(len(x), -1))))

        found = integrated_gradients(through, positions.features[0], torch.zeros_like(positions.features[0]))
        return replace(found, parts=found.parts.sum(-1))

    def _target(self, name: str, others: Mapping[str, Encoded], label: int) -> Callable[[Encoded], Tensor]:
        pattern = pattern_name(tuple(others))

        def log_odds(own: Encoded) -> Tensor:
            batch = len(own.pooled)
            available = torch.tensor(mask_of(pattern)).expand(batch, len(MODALITIES))
            logits = self._fuse({**others, name: own}, available)
            rows = torch.full((batch,), PATTERNS.index(pattern))
            return torch.logit(self.calibrator.probabilities(logits, rows)[:, label], eps=1e-6)

        return log_odds

    def _attribute_images(
        self, prepared: PreparedImages, positions: Positions, target: Callable[[Encoded], Tensor]
    ) -> Attribution:
        """[images, grid, grid], from the mean feature grid to this one."""
        encoder = cast(Any, self.network.encoders["image"])
        images, grid = len(prepared.images), encoder.grid
        baseline = self.image_baseline.repeat(images, 1)  # [images * cells, dim]

        def through(x: Tensor) -> Tensor:
            return target(encoder.pool(Positions(x, positions.mask.expand(len(x), -1))))

        found = integrated_gradients(through, positions.features[0], baseline)
        return replace(found, parts=found.parts.sum(-1).reshape(images, grid, grid))

    def _attribute_notes(self, prepared: PreparedNotes, target: Callable[[Encoded], Tensor]) -> Attribution:
        """[windows, pieces], from masked words to the words written."""
        encoder = cast(NoteEncoder, self.network.encoders["note"])
        inputs = prepared.inputs
        words = torch.from_numpy(prepared.windows.offsets[..., 1] > 0)[..., None]  # special pieces stay as they are
        embedded = encoder.embed(inputs["input_ids"])[0]  # [windows, pieces, hidden]
        masked = encoder.embed(torch.tensor(encoder.mask_id))
        most = MOST_NODES if len(embedded) <= LONG_NOTE_WINDOWS else MOST_NODES // 4

        def through(x: Tensor) -> Tensor:
            same = {key: value.expand(len(x), *value.shape[1:]) for key, value in inputs.items()}
            return target(encoder({**same, "embedded": x}))

        baseline = torch.where(words, masked, embedded)
        found = integrated_gradients(through, embedded, baseline, most_nodes=most)
        return replace(found, parts=found.parts.sum(-1))

    def _attribute_vitals(self, prepared: PreparedVitals, target: Callable[[Encoded], Tensor]) -> Attribution:
        """[readings], from where the patient began, without change, to the values measured, at the same times."""
        encoder = cast(Any, self.network.encoders["vitals"])
        inputs = prepared.inputs
        readings = inputs["readings"][0]  # [n, 4]
        baseline = readings.clone()
        baseline[:, 0] = torch.from_numpy(prepared.resting)
        baseline[:, 1] = 0

        def through(x: Tensor) -> Tensor:
            same = {key: value.expand(len(x), *value.shape[1:]) for key, value in inputs.items()}
            return target(encoder({**same, "readings": x}))

        found = integrated_gradients(through, readings, baseline)
        return replace(found, parts=found.parts.sum(-1))

    def _attribute_facts(self, prepared: PreparedFacts, target: Callable[[Encoded], Tensor]) -> Attribution:
        """[facts], from the mean of the training cases to the values of this case."""
        encoder, inputs = cast(Any, self.network.encoders["tabular"]), prepared.inputs

        def through(x: Tensor) -> Tensor:
            return target(encoder({"values": x, "mask": inputs["mask"].expand(len(x), -1)}))

        values = inputs["values"][0]
        return integrated_gradients(through, values, torch.zeros_like(values), stretches=2)
