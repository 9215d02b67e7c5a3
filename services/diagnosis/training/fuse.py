"""Stage B: the fusion ensemble on cached tokens, under every availability pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.fusion import Fused, FusionMember
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.model.network import stack
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.pretrain import CLASSES, count_batches, shuffled_batches, task_loss

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


def train_member(
    member: FusionMember,
    cache: TokenCache,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    on_step: Callable[[], None] = lambda: None,
) -> list[float]:
    """Train one member in place on its own bootstrap sample. Returns: the loss on all modalities, per epoch."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    n = len(cache.labels)
    sample = torch.randint(0, n, (n,), generator=rng).numpy()
    with torch.no_grad():
        member.bias.copy_(_log_prior(cache))
    optimizer = torch.optim.AdamW(member.parameters(), lr=learning_rate, weight_decay=0.05)
    steps = epochs * count_batches(n, batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    member.train()
    history = []
    for epoch in range(epochs):
        variant, losses = epoch % len(cache.tokens), []
        for rows in shuffled_batches(n, batch_size, rng):
            loss, observed = _step_loss(member, cache, sample[rows], variant, rng)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(member.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(observed)
            on_step()
        history.append(float(np.mean(losses)))
    member.eval()
    return history


def _step_loss(
    member: FusionMember, cache: TokenCache, rows: NDArray[np.int64], variant: int, rng: torch.Generator
) -> tuple[Tensor, float]:
    """The full pattern, sampled subsets, the heads alone, and the agreement of the subsets with the whole."""
    chosen = torch.from_numpy(rows)
    tokens, pooled = cache.tokens[variant][chosen], cache.pooled[variant][chosen]
    labels, worse = cache.labels[chosen], cache.deterioration[chosen]
    batch, repeats = len(rows), 1 + SAMPLED_SUBSETS
    available = torch.cat([torch.ones(batch, len(MODALITIES), dtype=torch.bool), sample_masks(2 * batch, rng)])
    fused = member(tokens.repeat(repeats, 1, 1, 1), pooled.repeat(repeats, 1, 1), available)
    losses = task_loss(fused.logits, labels.repeat(repeats), worse.repeat(repeats)).view(repeats, batch)
    loss = losses[0].mean() + losses[1:].mean()
    loss = loss + UNIMODAL_WEIGHT * _unimodal_loss(member, fused, batch, labels, worse)
    loss = loss + CONSISTENCY_WEIGHT * _consistency(fused.logits, batch)
    return loss, losses[0].mean().item()


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
