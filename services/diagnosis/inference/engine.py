"""The trained parts at work: encode, ask about every subset at once, attribute. All torch of the inference is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.bundle.contents import BundleContents
from services.diagnosis.inference.attribution.gradients import STEPS, integrated_gradients
from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.inference.inputs import (
    Prepared,
    PreparedFacts,
    PreparedImages,
    PreparedNotes,
    PreparedVitals,
)
from services.diagnosis.model.encoder import Encoded, Positions
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of, pattern_name, subsets
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.model.note_encoder import NoteEncoder

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
    """Network, calibrator and the start of image attributions; holds no state of any case."""

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
            logits = self.network.fuse(encoded, available)
            rows = torch.tensor([PATTERNS.index(pattern) for pattern in patterns])
            members = self.calibrator.member_probabilities(logits, rows).numpy()
        return {pattern: members[:, row] for row, pattern in enumerate(patterns)}

    def attribute(
        self, name: str, prepared: Prepared, case: Mapping[str, EncodedModality], label: int, *, refinement: int = 1
    ) -> NDArray[np.float64]:
        """Attributions inside one modality to the log-odds of a label: cells, word pieces or readings.

        Args:
            refinement: multiplies the steps of the integration, to judge its error.
        """
        others = {key: item.encoded for key, item in case.items()}
        target = self._target(name, others, label)
        if isinstance(prepared, PreparedImages):
            return self._attribute_images(prepared, case[name].positions, target, refinement)
        if isinstance(prepared, PreparedNotes):
            return self._attribute_notes(prepared, target, refinement)
        if isinstance(prepared, PreparedVitals):
            return self._attribute_vitals(prepared, target, refinement)
        if isinstance(prepared, PreparedFacts):
            return self._attribute_facts(prepared, target, refinement)
        raise TypeError(f"no attribution for {type(prepared).__name__}")

    def _target(self, name: str, others: Mapping[str, Encoded], label: int) -> Callable[[Encoded], Tensor]:
        pattern = pattern_name(tuple(others))

        def log_odds(own: Encoded) -> Tensor:
            batch = len(own.pooled)
            available = torch.tensor(mask_of(pattern)).expand(batch, len(MODALITIES))
            logits = self.network.fuse({**others, name: own}, available)
            rows = torch.full((batch,), PATTERNS.index(pattern))
            return torch.logit(self.calibrator.probabilities(logits, rows)[:, label], eps=1e-6)

        return log_odds

    def _attribute_images(
        self, prepared: PreparedImages, positions: Positions, target: Callable[[Encoded], Tensor], refinement: int
    ) -> Array:
        """[images, grid, grid], from the mean feature grid to this one."""
        encoder = cast(Any, self.network.encoders["image"])
        images, grid = len(prepared.images), encoder.grid
        baseline = self.image_baseline.repeat(images, 1)  # [images * cells, dim]

        def through(x: Tensor) -> Tensor:
            return target(encoder.pool(Positions(x, positions.mask.expand(len(x), -1))))

        parts: Array = integrated_gradients(through, positions.features[0], baseline, steps=STEPS * refinement).sum(-1)
        return parts.reshape(images, grid, grid)

    def _attribute_notes(self, prepared: PreparedNotes, target: Callable[[Encoded], Tensor], refinement: int) -> Array:
        """[windows, pieces], from masked words to the words written."""
        encoder = cast(NoteEncoder, self.network.encoders["note"])
        inputs = prepared.inputs
        words = torch.from_numpy(prepared.windows.offsets[..., 1] > 0)[..., None]  # special pieces stay as they are
        embedded = encoder.embed(inputs["input_ids"])[0]  # [windows, pieces, hidden]
        masked = encoder.embed(torch.tensor(encoder.mask_id))
        steps = STEPS if len(embedded) <= LONG_NOTE_WINDOWS else STEPS // 2

        def through(x: Tensor) -> Tensor:
            same = {key: value.expand(len(x), *value.shape[1:]) for key, value in inputs.items()}
            return target(encoder({**same, "embedded": x}))

        baseline = torch.where(words, masked, embedded)
        parts: Array = integrated_gradients(through, embedded, baseline, steps=steps * refinement).sum(-1)
        return parts

    def _attribute_vitals(
        self, prepared: PreparedVitals, target: Callable[[Encoded], Tensor], refinement: int
    ) -> Array:
        """[readings], from average values without change to the values measured, at the same times."""
        encoder = cast(Any, self.network.encoders["vitals"])
        inputs = prepared.inputs
        readings = inputs["readings"][0]  # [n, 5]
        baseline = readings.clone()
        baseline[:, :2] = 0

        def through(x: Tensor) -> Tensor:
            same = {key: value.expand(len(x), *value.shape[1:]) for key, value in inputs.items()}
            return target(encoder({**same, "readings": x}))

        parts: Array = integrated_gradients(through, readings, baseline, steps=STEPS * refinement).sum(-1)
        return parts

    def _attribute_facts(self, prepared: PreparedFacts, target: Callable[[Encoded], Tensor], refinement: int) -> Array:
        """[facts], from the mean of the training cases to the values of this case."""
        encoder, inputs = cast(Any, self.network.encoders["tabular"]), prepared.inputs

        def through(x: Tensor) -> Tensor:
            return target(encoder({"values": x, "mask": inputs["mask"].expand(len(x), -1)}))

        values = inputs["values"][0]
        parts: Array = integrated_gradients(through, values, torch.zeros_like(values), steps=STEPS * refinement)
        return parts
