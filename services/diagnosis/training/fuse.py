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
from services.diagnosis.model.fusion import Fused, FusionMember
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.model.network import stack
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.loop import Losses, Objective, Plan, Session, optimise
from services.diagnosis.training.pretrain import CLASSES, EMA_SHARE, task_loss

SAMPLED_SUBSETS = 2
UNIMODAL_WEIGHT = 0.3
CONSISTENCY_WEIGHT = 0.1


@dataclass(frozen=True)
class TokenCache:
    """Several encodings of the same cases (one plain, the others augmented), stacked per modality."""

    tokens: tuple[Tensor, ...]
    """Each [n, modalities, tokens, dim]"""
    pooled: tuple[Tensor, ...]
    labels: Tensor
    deterioration: Tensor

    @classmethod
    def of(cls, variants: Sequence[Mapping[str, Encoded]], cohort: Cohort, config: ModelConfig) -> TokenCache:
        stacked = [stack(variant, len(cohort), config) for variant in variants]
        return cls(
            tuple(tokens for tokens, _ in stacked),
            tuple(pooled for _, pooled in stacked),
            torch.from_numpy(cohort.labels),
            torch.from_numpy(cohort.deterioration).float(),
        )


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
    n = len(cache.labels)
    sample = torch.randint(0, n, (n,), generator=torch.Generator().manual_seed(seed)).numpy()
    with torch.no_grad():
        member.bias.copy_(_log_prior(cache))
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
    labels, worse = cache.labels[chosen].to(device), cache.deterioration[chosen].to(device)
    batch, repeats = len(rows), 1 + SAMPLED_SUBSETS
    available = torch.cat([torch.ones(batch, len(MODALITIES), dtype=torch.bool), sample_masks(2 * batch, rng)])
    available = available.to(device)
    fused = member(tokens.repeat(repeats, 1, 1, 1), pooled.repeat(repeats, 1, 1), available)
    losses = task_loss(fused.logits, labels.repeat(repeats), worse.repeat(repeats)).view(repeats, batch)
    loss = losses[0].mean() + losses[1:].mean()
    loss = loss + UNIMODAL_WEIGHT * _unimodal_loss(member, fused, batch, labels, worse)
    loss = loss + CONSISTENCY_WEIGHT * _consistency(fused.logits, batch)
    return loss, losses[0].mean().detach()


def sample_masks(n: int, rng: torch.Generator) -> Tensor:
    """[n, modalities]: uniform over all patterns, single modalities included."""
    masks = torch.tensor([mask_of(pattern) for pattern in PATTERNS])
    return masks[torch.randint(0, len(masks), (n,), generator=rng)]


def _unimodal_loss(member: FusionMember, fused: Fused, batch: int, labels: Tensor, worse: Tensor) -> Tensor:
    alone = [task_loss(member.bias + fused.unimodal[:batch, m], labels, worse).mean() for m in range(len(MODALITIES))]
    return torch.stack(alone).sum()


def _consistency(logits: Tensor, batch: int) -> Tensor:
    """KL(full ‖ subset): a subset may know less, but should not say otherwise."""
    whole = logits[:batch, :CLASSES].detach().softmax(-1).repeat(SAMPLED_SUBSETS, 1)
    return functional.kl_div(logits[batch:, :CLASSES].log_softmax(-1), whole, reduction="batchmean")


def _log_prior(cache: TokenCache) -> Tensor:
    share = torch.bincount(cache.labels, minlength=CLASSES).double() + 1
    worse = cache.deterioration.double().mean().clamp(0.01, 0.99)
    return torch.cat([(share / share.sum()).log(), torch.logit(worse)[None]]).float()
