"""Stage A: each encoder learns on its own: the diagnosis, its findings, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.model.config import TASKS, ModelConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions
from services.diagnosis.model.modalities import TaskSpec
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.loop import Losses, Objective, Plan, Session, optimise
from services.diagnosis.training.task_losses import task_losses

Batches = Callable[[NDArray[np.int64]], Inputs]
Augment = Callable[[Inputs, torch.Generator], Inputs]
PlaceLoss = Callable[[Positions, NDArray[np.int64]], Tensor]
UNTOLD = -100
"""Of a finding that a fragment of a note neither states nor denies; no loss is asked for it."""
SETTLING_CASES = 256
"""Cases from which an encoder's fixed scales are taken before training."""
EMA_SHARE = 0.02
"""Mean age of the averaged weights, as a share of a stage's steps."""


@dataclass(frozen=True)
class FindingTargets:
    """The latent findings of one modality as class indices [n, findings]; `UNTOLD` where nobody can know."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    targets: Tensor

    @classmethod
    def of(cls, cohort: Cohort, catalogue: Mapping[str, Sequence[str]]) -> FindingTargets:
        """`catalogue`: finding -> its values, the normal one first."""
        names = tuple(catalogue)
        values = tuple(tuple(catalogue[name]) for name in names)
        rows = [
            [
                options.index(record.findings[name]) if name in record.findings else UNTOLD
                for name, options in zip(names, values, strict=True)
            ]
            for record in cohort.records
        ]
        return cls(names, values, torch.tensor(rows))


class PretrainingHeads(nn.Module):
    """What an encoder is asked while it learns; none of it ships."""

    def __init__(self, config: ModelConfig, findings: FindingTargets, places: int) -> None:
        super().__init__()
        dim, logits = config.dim, config.logits
        self.tasks = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, logits))
        width = config.tokens * dim
        self.findings = nn.ModuleList(nn.Linear(width, len(values)) for values in findings.values)
        self.places = nn.Linear(dim, places) if places else None

    def finding_loss(self, encoded: Encoded, targets: Tensor) -> Tensor:
        flat = encoded.tokens.flatten(1)
        losses = [_known_cross_entropy(head(flat), targets[:, i]) for i, head in enumerate(self.findings)]
        return torch.stack(losses).sum() if losses else flat.new_zeros(())


def _known_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over what is told; 0 where nothing is."""
    known = (targets != UNTOLD).sum().clamp(min=1)
    return functional.cross_entropy(logits, targets, ignore_index=UNTOLD, reduction="sum") / known


def image_place_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Which cells a finding covers; covered cells are rare and weigh more."""
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=torch.tensor(4.0)) * 10


def note_place_loss(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Which finding a word piece names."""
    return functional.cross_entropy(logits[mask], targets[mask]) * 3


def reading_place_loss(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """In which finding's window a reading lies, told from the reading alone."""
    return functional.cross_entropy(logits[mask], targets[mask]) * 0.5


@dataclass(frozen=True)
class Pretraining:
    """One encoder's stage."""

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    batches: Any
    augment: Augment
    places: int
    soft: bool = False
    """Learn the ward's exact beliefs instead of drawn labels; only synthetic cases have them."""
    tasks: tuple[TaskSpec, ...] = TASKS
    """What the encoder is asked, in the order of the logits."""


class EncoderObjective(Objective):
    """An encoder with its pretraining heads, asked about its own modality alone."""

    def __init__(
        self, encoder: Encoder, heads: PretrainingHeads, cohort: Cohort, findings: FindingTargets, plan: Pretraining
    ) -> None:
        super().__init__()
        self.encoder, self.heads, self.findings, self.plan = encoder, heads, findings, plan
        self.targets = targets_of(cohort, plan)

    @property
    def cases(self) -> int:
        return len(self.findings.targets)

    def forward(self, rows: NDArray[np.int64], epoch: int, rng: torch.Generator) -> Losses:
        device = next(self.encoder.parameters()).device
        inputs = self.plan.augment(self.plan.batches(rows), rng)
        positions = self.encoder.positions({key: value.to(device) for key, value in inputs.items()})
        encoded = self.encoder.pool(positions)
        targets = {name: target[rows].to(device) for name, target in self.targets.items()}
        diagnosis = task_losses(self.plan.tasks, self.heads.tasks(encoded.pooled), targets).mean()
        findings = self.heads.finding_loss(encoded, self.findings.targets[rows].to(device))
        places = _place_loss(self.heads, self.plan, positions, rows)
        watched = {"diagnosis": diagnosis.detach(), "findings": findings.detach(), "places": places.detach()}
        return Losses(diagnosis + 0.3 * findings + places, watched)


def pretrain(
    encoder: Encoder,
    config: ModelConfig,
    cohort: Cohort,
    findings: FindingTargets,
    plan: Pretraining,
    *,
    seed: int,
    session: Session = Session(),
    on_step: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train one encoder in place. Returns: the mean diagnosis loss of each epoch.

    Raises: as `training.loop.optimise`.
    """
    torch.manual_seed(seed)
    encoder.settle(plan.batches(np.arange(min(SETTLING_CASES, len(cohort)))))
    heads = PretrainingHeads(config, findings, plan.places)
    objective = EncoderObjective(encoder, heads, cohort, findings, plan)
    return optimise(
        objective,
        Plan(f"encoder-{plan.name}", plan.epochs, plan.batch_size, plan.learning_rate, 0.02, 0.15, ema_share=EMA_SHARE),
        session,
        seed=seed,
        on_step=on_step,
    )


def targets_of(cohort: Cohort, plan: Pretraining) -> dict[str, Tensor]:
    """What the encoder is to say of each task, as `task_losses` takes it."""
    targets = cohort.beliefs(plan.name, plan.tasks) if plan.soft else cohort.targets(plan.tasks)
    return {name: torch.from_numpy(target).float() for name, target in targets.items()}


def _place_loss(heads: PretrainingHeads, plan: Pretraining, positions: Positions, rows: NDArray[np.int64]) -> Tensor:
    if heads.places is None:
        return positions.features.new_zeros(())
    if plan.name == "vitals":
        embedded = positions.features[..., : heads.places.in_features]
        return reading_place_loss(heads.places(embedded), plan.batches.places(rows), positions.mask)
    logits = heads.places(positions.features)
    targets = plan.batches.places(rows).to(logits.device)
    if plan.name == "image":
        return image_place_loss(logits, targets)
    return note_place_loss(logits, targets, positions.mask)


def count_batches(n: int, size: int) -> int:
    return max(1, n // size)


def shuffled_batches(n: int, size: int, rng: torch.Generator) -> Iterator[NDArray[np.int64]]:
    """Row indices in a new order; the incomplete last batch of a long epoch is left out."""
    order = torch.randperm(n, generator=rng).numpy()
    for step in range(count_batches(n, size)):
        yield order[step * size : (step + 1) * size]


def encode_all(encoder: Encoder, batches: Batches, n: int, *, size: int = 64) -> Encoded:
    """Tokens and pooled vectors of all cases, without gradients."""
    encoder.eval()
    with torch.no_grad():
        parts = [encoder(batches(np.arange(start, min(n, start + size)))) for start in range(0, n, size)]
    return Encoded(torch.cat([part.tokens for part in parts]), torch.cat([part.pooled for part in parts]))
