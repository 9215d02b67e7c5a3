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
from services.diagnosis.training.cohort import Cohort

Batches = Callable[[NDArray[np.int64]], Inputs]
Augment = Callable[[Inputs, torch.Generator], Inputs]
PlaceLoss = Callable[[Positions, NDArray[np.int64]], Tensor]
CLASSES = TASKS[0].logits


@dataclass(frozen=True)
class FindingTargets:
    """The latent findings of one modality as class indices [n, findings]."""

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    targets: Tensor

    @classmethod
    def of(cls, cohort: Cohort, catalogue: Mapping[str, Sequence[str]]) -> FindingTargets:
        """`catalogue`: finding -> its values, the normal one first."""
        names = tuple(catalogue)
        values = tuple(tuple(catalogue[name]) for name in names)
        rows = [
            [options.index(record.findings[name]) for name, options in zip(names, values, strict=True)]
            for record in cohort.records
        ]
        return cls(names, values, torch.tensor(rows))


class PretrainingHeads(nn.Module):
    """What an encoder is asked while it learns; none of it ships."""

    def __init__(self, config: ModelConfig, findings: FindingTargets, places: int) -> None:
        super().__init__()
        dim, logits = config.dim, sum(task.logits for task in TASKS)
        self.tasks = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, logits))
        width = config.tokens * dim
        self.findings = nn.ModuleList(nn.Linear(width, len(values)) for values in findings.values)
        self.places = nn.Linear(dim, places) if places else None

    def finding_loss(self, encoded: Encoded, targets: Tensor) -> Tensor:
        flat = encoded.tokens.flatten(1)
        losses = [functional.cross_entropy(head(flat), targets[:, i]) for i, head in enumerate(self.findings)]
        return torch.stack(losses).sum() if losses else torch.zeros(())


def task_loss(logits: Tensor, labels: Tensor, deterioration: Tensor) -> Tensor:
    """Negative log-likelihood of both questions, [batch]."""
    diagnosis = functional.cross_entropy(logits[:, :CLASSES], labels, reduction="none")
    worse = functional.binary_cross_entropy_with_logits(logits[:, CLASSES], deterioration, reduction="none")
    return diagnosis + 0.5 * worse


def image_place_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Which cells a finding covers; covered cells are rare and weigh more."""
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=torch.tensor(4.0)) * 10


def note_place_loss(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Which finding a word piece names."""
    return functional.cross_entropy(logits[mask], targets[mask]) * 3


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


def pretrain(
    encoder: Encoder,
    config: ModelConfig,
    cohort: Cohort,
    findings: FindingTargets,
    plan: Pretraining,
    *,
    seed: int,
    on_step: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train one encoder in place. Returns: the mean diagnosis loss of each epoch.

    Raises: FloatingPointError: the loss is no number any more.
    """
    torch.manual_seed(seed)
    heads = PretrainingHeads(config, findings, plan.places)
    parameters = [*encoder.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=0.02)
    steps = plan.epochs * count_batches(len(cohort), plan.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, total_steps=steps, pct_start=0.15)
    labels, worse = torch.from_numpy(cohort.labels), torch.from_numpy(cohort.deterioration).float()
    rng = torch.Generator().manual_seed(seed)
    encoder.train()
    history = []
    for _ in range(plan.epochs):
        losses = []
        for rows in shuffled_batches(len(cohort), plan.batch_size, rng):
            positions = encoder.positions(plan.augment(plan.batches(rows), rng))
            encoded = encoder.pool(positions)
            diagnosis = task_loss(heads.tasks(encoded.pooled), labels[rows], worse[rows]).mean()
            loss = diagnosis + 0.3 * heads.finding_loss(encoded, findings.targets[rows])
            loss = loss + _place_loss(heads, plan, positions, rows)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss of the {plan.name} encoder is {loss.item()}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(diagnosis.item())
            on_step()
        history.append(float(np.mean(losses)))
    encoder.eval()
    return history


def _place_loss(heads: PretrainingHeads, plan: Pretraining, positions: Positions, rows: NDArray[np.int64]) -> Tensor:
    if heads.places is None:
        return torch.zeros(())
    logits = heads.places(positions.features)
    if plan.name == "image":
        return image_place_loss(logits, plan.batches.places(rows))
    return note_place_loss(logits, plan.batches.places(rows), positions.mask)


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
