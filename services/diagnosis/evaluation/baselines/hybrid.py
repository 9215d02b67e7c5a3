"""Our own fusion, trained by the baselines' rules: for cohorts of which every system learns anew."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.evaluation.baselines.baseline import Shape
from services.diagnosis.evaluation.baselines.network import Batch, Network, Setting, Standardise, thin
from services.diagnosis.model.config import FusionConfig
from services.diagnosis.model.fusion import FusionMember
from services.diagnosis.training.fuse import CONSISTENCY_WEIGHT, SAMPLED_SUBSETS, UNIMODAL_WEIGHT


class HybridFusion(Network):
    """`FusionMember` on standardised vectors, with the losses of `training.fuse` for the diagnosis alone."""

    def __init__(self, shape: Shape, setting: Setting) -> None:
        super().__init__()
        self.standardise = Standardise(shape.modalities, shape.dim)
        self.norm = nn.LayerNorm(shape.dim)
        heads = 4 if shape.dim % 4 == 0 else 1
        config = FusionConfig(heads=heads, hidden=setting.hidden, dropout=setting.dropout, prior_scale=0.0)
        self.member = FusionMember(
            config, dim=shape.dim, tokens=shape.tokens or 1, modalities=shape.modalities, logits=shape.classes
        )

    def forward(self, batch: Batch) -> Tensor:
        return self._parts(batch)[0]

    def loss(self, batch: Batch, labels: Tensor, rng: torch.Generator) -> Tensor:
        """All that is there, sampled subsets, the heads alone, and the agreement of the subsets with the whole."""
        n, repeats = len(labels), 1 + SAMPLED_SUBSETS
        subsets = [thin(batch.available, rng) for _ in range(SAMPLED_SUBSETS)]
        rows = torch.arange(n).repeat(repeats)
        logits, unimodal = self._parts(batch.take(rows).under(torch.cat([batch.available, *subsets])))
        losses = functional.cross_entropy(logits, labels.repeat(repeats), reduction="none").view(repeats, n)
        alone = (self.member.bias + unimodal[:n])[batch.available]  # [modalities there, classes]
        own = functional.cross_entropy(alone, labels[:, None].expand_as(batch.available)[batch.available])
        whole = logits[:n].detach().softmax(-1).repeat(SAMPLED_SUBSETS, 1)
        apart = functional.kl_div(logits[n:].log_softmax(-1), whole, reduction="batchmean")
        loss: Tensor = losses[0].mean() + losses[1:].mean() + CONSISTENCY_WEIGHT * apart
        return loss + UNIMODAL_WEIGHT * batch.available.shape[1] * own

    def _parts(self, batch: Batch) -> tuple[Tensor, Tensor]:
        pooled = self.standardise(batch.pooled)
        tokens = pooled[:, :, None] if batch.tokens is None else self.norm(batch.tokens)
        fused = self.member(tokens, pooled, batch.available)
        return fused.logits, fused.unimodal
