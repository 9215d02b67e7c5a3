"""Stage B: the fusion ensemble on cached tokens, under every availability pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.fusion import FusionMember
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, TaskSpec, mask_of
from services.diagnosis.model.network import stack
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.loop import Losses, Objective, Plan, Session, optimise
from services.diagnosis.training.pretrain import EMA_SHARE
from services.diagnosis.training.task_losses import one_hot_levels, task_losses

SAMPLED_SUBSETS = 2
UNIMODAL_WEIGHT = 0.3
CONSISTENCY_WEIGHT = 0.1
MASKS = torch.tensor([mask_of(pattern) for pattern in PATTERNS])
WHOLE = len(PATTERNS) - 1
"""The pattern of all modalities."""


@dataclass(frozen=True)
class TokenCache:
    """Several encodings of the same cases (one plain, the others augmented), stacked per modality."""

    tokens: tuple[Tensor, ...]
    """Each [n, modalities, tokens, dim]"""
    pooled: tuple[Tensor, ...]
    tasks: tuple[TaskSpec, ...]
    targets: Mapping[str, Tensor]
    """Task -> what is to be said under each pattern, the truth itself or the ward's exact belief:
    [n, patterns, classes or levels] or [n, patterns], a pattern of them as `task_losses` takes it."""
    available: Tensor
    """[n, modalities]: what each case holds; nothing else of it is looked at."""

    @classmethod
    def of(
        cls, variants: Sequence[Mapping[str, Encoded]], cohort: Cohort, config: ModelConfig, *, soft: bool
    ) -> TokenCache:
        """`soft`: learn what is best to believe under each pattern, which only synthetic cases know."""
        stacked = [stack(variant, len(cohort), config) for variant in variants]
        return cls(
            tuple(tokens for tokens, _ in stacked),
            tuple(pooled for _, pooled in stacked),
            config.tasks,
            believed(cohort, config.tasks) if soft else recorded(cohort, config.tasks),
            torch.from_numpy(cohort.available()),
        )

    def __len__(self) -> int:
        return len(self.available)

    @property
    def classes(self) -> int:
        """Of the first task, the diagnosis."""
        return self.tasks[0].logits


def believed(cohort: Cohort, tasks: Sequence[TaskSpec]) -> dict[str, Tensor]:
    """The ward's exact beliefs as targets: a label drawn from them would say the same on average, and noisily."""
    beliefs = [cohort.beliefs(pattern, tasks) for pattern in PATTERNS]
    return {
        task.name: torch.from_numpy(np.stack([own[task.name] for own in beliefs], axis=1)).float() for task in tasks
    }


def recorded(cohort: Cohort, tasks: Sequence[TaskSpec]) -> dict[str, Tensor]:
    """The truth as targets, the same under every pattern."""
    found = {}
    for task, values in zip(tasks, cohort.targets(tasks).values(), strict=True):
        target = torch.from_numpy(values).float()
        if task.kind == "multiclass":
            target = functional.one_hot(target.long(), task.logits).float()
        if task.kind == "ordinal":
            target = one_hot_levels(target, task.logits + 1)
        found[task.name] = target[:, None].expand(-1, len(PATTERNS), *target.shape[1:])
    return found


class MemberObjective(Objective):
    """One member of the ensemble on its own bootstrap sample of the cache."""

    def __init__(self, member: FusionMember, cache: TokenCache, sample: NDArray[np.int64]) -> None:
        super().__init__()
        self.member, self.cache, self.sample = member, cache, sample

    @property
    def cases(self) -> int:
        return len(self.sample)

    def forward(self, rows: NDArray[np.int64], epoch: int, rng: torch.Generator) -> Losses:
        variant = epoch % len(self.cache.tokens)
        loss, observed = _step_loss(self.member, self.cache, self.sample[rows], variant, rng)
        return Losses(loss, {"observed": observed})


def train_member(
    member: FusionMember,
    cache: TokenCache,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    name: str = "fusion",
    session: Session = Session(),
    on_step: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train one member in place on its own bootstrap sample. Returns: the loss on all modalities, per epoch.

    Raises: as `training.loop.optimise`.
    """
    torch.manual_seed(seed)
    n = len(cache)
    sample = torch.randint(0, n, (n,), generator=torch.Generator().manual_seed(seed)).numpy()
    with torch.no_grad():
        member.bias.copy_(_log_prior(cache))
        member.settle(cache.pooled[0], cache.available)
    return optimise(
        MemberObjective(member, cache, sample),
        Plan(name, epochs, batch_size, learning_rate, 0.05, ema_share=EMA_SHARE),
        session,
        seed=seed,
        on_step=on_step,
    )


def _step_loss(
    member: FusionMember, cache: TokenCache, rows: NDArray[np.int64], variant: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The full pattern, sampled subsets, the heads alone, and the agreement of the subsets with the whole."""
    chosen, device = torch.from_numpy(rows), member.bias.device
    tokens, pooled = cache.tokens[variant][chosen].to(device), cache.pooled[variant][chosen].to(device)
    targets = {name: target[chosen].to(device) for name, target in cache.targets.items()}
    available = cache.available[chosen].to(device)
    batch, repeats = len(rows), 1 + SAMPLED_SUBSETS
    patterns = torch.cat([torch.full((batch,), WHOLE), sample_patterns(SAMPLED_SUBSETS * batch, rng)]).to(device)
    case = torch.arange(batch, device=device).repeat(repeats)
    shown = shown_under(patterns, available[case])
    fused = member(tokens.repeat(repeats, 1, 1, 1), pooled.repeat(repeats, 1, 1), shown)
    asked = {name: target[case, patterns] for name, target in targets.items()}
    losses = task_losses(cache.tasks, fused.logits, asked).view(repeats, batch)
    loss = losses[0].mean() + losses[1:].mean()
    loss = loss + UNIMODAL_WEIGHT * _unimodal_loss(member, fused.unimodal[:batch], cache.tasks, targets, available)
    loss = loss + CONSISTENCY_WEIGHT * _consistency(fused.logits, batch, cache.classes)
    return loss, losses[0].mean().detach()


def sample_patterns(n: int, rng: torch.Generator) -> Tensor:
    """[n] indices into `PATTERNS`: uniform over all of them, single modalities included."""
    return torch.randint(0, len(PATTERNS), (n,), generator=rng)


def shown_under(patterns: Tensor, available: Tensor) -> Tensor:
    """What is left of patterns [n] where a case lacks some of it; all that it holds where nothing is. [n, modalities]

    Args:
        available: [n, modalities], at least one True per row.
    """
    masks = MASKS.to(available.device)[patterns] & available
    return torch.where(masks.any(1, keepdim=True), masks, available)


def _unimodal_loss(
    member: FusionMember,
    unimodal: Tensor,
    tasks: Sequence[TaskSpec],
    targets: Mapping[str, Tensor],
    available: Tensor,
) -> Tensor:
    """Each head by itself, against what its modality alone allows, over the cases that hold it."""
    alone = []
    for m, own in enumerate(PATTERNS.index(name) for name in MODALITIES):
        alone_targets = {name: target[:, own] for name, target in targets.items()}
        losses = task_losses(tasks, member.bias + unimodal[:, m], alone_targets)[available[:, m]]
        alone.append(losses.mean() if len(losses) else unimodal.new_zeros(()))
    return torch.stack(alone).sum()


def _consistency(logits: Tensor, batch: int, classes: int) -> Tensor:
    """KL(full ‖ subset): a subset may know less, but should not say otherwise."""
    whole = logits[:batch, :classes].detach().softmax(-1).repeat(SAMPLED_SUBSETS, 1)
    return functional.kl_div(logits[batch:, :classes].log_softmax(-1), whole, reduction="batchmean")


def _log_prior(cache: TokenCache) -> Tensor:
    """The logits [logits] of knowing nothing of a case: how often each task's answers are what they are."""
    return torch.cat([_prior_of(task, cache.targets[task.name][:, WHOLE].double()) for task in cache.tasks]).float()


def _prior_of(task: TaskSpec, targets: Tensor) -> Tensor:
    if task.kind == "binary":
        return torch.logit(targets.mean().clamp(0.01, 0.99))[None]
    share = targets.sum(0) + 1
    if task.kind == "ordinal":
        beyond = share.flip(0).cumsum(0).flip(0)  # of reaching each level
        return torch.logit(beyond[1:] / beyond[:-1])
    return (share / share.sum()).log()
