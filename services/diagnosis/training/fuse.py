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
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.model.network import stack
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.loop import Losses, Objective, Plan, Session, optimise
from services.diagnosis.training.pretrain import EMA_SHARE, task_loss

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
    diagnosis: Tensor
    """[n, patterns, classes]: what is to be said under each pattern; the label itself, or the ward's exact belief."""
    worsening: Tensor | None
    """[n, patterns]: the same of deterioration; None: it is not asked for."""
    available: Tensor
    """[n, modalities]: what each case holds; nothing else of it is looked at."""

    @classmethod
    def of(
        cls, variants: Sequence[Mapping[str, Encoded]], cohort: Cohort, config: ModelConfig, *, soft: bool
    ) -> TokenCache:
        """`soft`: learn what is best to believe under each pattern, which only synthetic cases know."""
        stacked = [stack(variant, len(cohort), config) for variant in variants]
        diagnosis, worsening = believed(cohort) if soft else recorded(cohort, len(config.labels))
        return cls(
            tuple(tokens for tokens, _ in stacked),
            tuple(pooled for _, pooled in stacked),
            diagnosis,
            worsening if config.deterioration else None,
            torch.from_numpy(cohort.available()),
        )


def believed(cohort: Cohort) -> tuple[Tensor, Tensor]:
    """The ward's exact beliefs as targets: a label drawn from them would say the same on average, and noisily."""
    beliefs = [cohort.beliefs(pattern) for pattern in PATTERNS]
    diagnosis = torch.from_numpy(np.stack([diagnosis for diagnosis, _ in beliefs], axis=1)).float()
    return diagnosis, torch.from_numpy(np.stack([worse for _, worse in beliefs], axis=1)).float()


def recorded(cohort: Cohort, classes: int) -> tuple[Tensor, Tensor]:
    """The labels as targets, the same under every pattern."""
    labels = functional.one_hot(torch.from_numpy(cohort.labels), classes).float()
    worse = torch.from_numpy(cohort.deterioration).float()
    return labels[:, None].expand(-1, len(PATTERNS), -1), worse[:, None].expand(-1, len(PATTERNS))


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
    n = len(cache.diagnosis)
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
    diagnosis, available = cache.diagnosis[chosen].to(device), cache.available[chosen].to(device)
    worse = None if cache.worsening is None else cache.worsening[chosen].to(device)
    batch, repeats = len(rows), 1 + SAMPLED_SUBSETS
    patterns = torch.cat([torch.full((batch,), WHOLE), sample_patterns(SAMPLED_SUBSETS * batch, rng)]).to(device)
    case = torch.arange(batch, device=device).repeat(repeats)
    shown = shown_under(patterns, available[case])
    fused = member(tokens.repeat(repeats, 1, 1, 1), pooled.repeat(repeats, 1, 1), shown)
    worsens = None if worse is None else worse[case, patterns]
    losses = task_loss(fused.logits, diagnosis[case, patterns], worsens).view(repeats, batch)
    loss = losses[0].mean() + losses[1:].mean()
    loss = loss + UNIMODAL_WEIGHT * _unimodal_loss(member, fused.unimodal[:batch], diagnosis, worse, available)
    loss = loss + CONSISTENCY_WEIGHT * _consistency(fused.logits, batch, diagnosis.shape[-1])
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
    member: FusionMember, unimodal: Tensor, diagnosis: Tensor, worse: Tensor | None, available: Tensor
) -> Tensor:
    """Each head by itself, against what its modality alone allows, over the cases that hold it."""
    alone = []
    for m, own in enumerate(PATTERNS.index(name) for name in MODALITIES):
        worsens = None if worse is None else worse[:, own]
        losses = task_loss(member.bias + unimodal[:, m], diagnosis[:, own], worsens)[available[:, m]]
        alone.append(losses.mean() if len(losses) else unimodal.new_zeros(()))
    return torch.stack(alone).sum()


def _consistency(logits: Tensor, batch: int, classes: int) -> Tensor:
    """KL(full ‖ subset): a subset may know less, but should not say otherwise."""
    whole = logits[:batch, :classes].detach().softmax(-1).repeat(SAMPLED_SUBSETS, 1)
    return functional.kl_div(logits[batch:, :classes].log_softmax(-1), whole, reduction="batchmean")


def _log_prior(cache: TokenCache) -> Tensor:
    share = cache.diagnosis[:, WHOLE].double().sum(0) + 1
    prior = (share / share.sum()).log()
    if cache.worsening is None:
        return prior.float()
    worse = cache.worsening[:, WHOLE].double().mean().clamp(0.01, 0.99)
    return torch.cat([prior, torch.logit(worse)[None]]).float()
