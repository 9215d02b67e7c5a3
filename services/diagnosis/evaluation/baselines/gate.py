"""DrFuse: shared and distinct representations, weighed per disease by attention.

Yao, Yin, Cheung, Liu, Qin: DrFuse: Learning Disentangled Representation for Clinical Multi-Modal Fusion with Missing
Modality and Modal Inconsistency, AAAI 2024 (arXiv 2403.06197). Differences: any number of modalities instead of two,
exclusive classes, attention keys of 16 dimensions, and no ranking loss on the attention.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.evaluation.baselines.baseline import Shape
from services.diagnosis.evaluation.baselines.network import Batch, Network, Setting, Standardise, thin

KEYS = 16
EXPERTS_WEIGHT, SHARED_WEIGHT, DISTINCT_WEIGHT = 0.3, 0.1, 0.1


class GateFusion(Network):
    """Each class attends, with weights of its own, to every distinct vector and the mean of the shared ones."""

    def __init__(self, shape: Shape, setting: Setting) -> None:
        super().__init__()
        hidden, self.classes = setting.hidden, shape.classes
        self.standardise = Standardise(shape.modalities, shape.dim)
        self.base = nn.ModuleList(self._base(shape, setting) for _ in range(shape.modalities))
        self.to_distinct = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(shape.modalities))
        self.to_shared = nn.Linear(hidden, hidden)
        self.experts = nn.ModuleList(nn.Linear(hidden, shape.classes) for _ in range(shape.modalities + 1))
        self.query = nn.Linear(hidden, KEYS)
        self.keys = nn.Linear(hidden, KEYS * shape.classes)
        self.value = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, shape.classes)

    @staticmethod
    def _base(shape: Shape, setting: Setting) -> nn.Sequential:
        return nn.Sequential(nn.Linear(shape.dim, setting.hidden), nn.GELU(), nn.Dropout(setting.dropout))

    def forward(self, batch: Batch) -> Tensor:
        distinct, shared = self._represent(batch)
        return self._fuse(*self._candidates(distinct, shared, batch.available))

    def loss(self, batch: Batch, labels: Tensor, rng: torch.Generator) -> Tensor:
        """Prediction, each candidate's own prediction, agreement of the shared parts, distinctness of the others."""
        available = thin(batch.available, rng)
        distinct, shared = self._represent(batch)
        candidates, there = self._candidates(distinct, shared, available)
        loss = functional.cross_entropy(self._fuse(candidates, there), labels)
        alone = torch.stack([head(candidates[:, i]) for i, head in enumerate(self.experts)], dim=1)
        own = functional.cross_entropy(alone[there], labels[:, None].expand_as(there)[there])
        cosine = functional.cosine_similarity(distinct, shared, dim=-1).abs()[available].mean()
        return loss + EXPERTS_WEIGHT * own + DISTINCT_WEIGHT * cosine + SHARED_WEIGHT * divergence(shared, available)

    def _represent(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Distinct and shared vectors [batch, modalities, hidden]."""
        inputs = self.standardise(batch.pooled)
        base = torch.stack([layer(inputs[:, m]) for m, layer in enumerate(self.base)], dim=1)
        distinct = torch.stack([layer(base[:, m]) for m, layer in enumerate(self.to_distinct)], dim=1)
        return distinct, self.to_shared(base)

    @staticmethod
    def _candidates(distinct: Tensor, shared: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
        weights = available[..., None].float()
        mean = (shared * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
        there = torch.cat([available, available.new_ones(len(available), 1)], dim=1)
        return torch.cat([distinct, mean], dim=1), there  # [batch, modalities + 1, hidden], [batch, modalities + 1]

    def _fuse(self, candidates: Tensor, there: Tensor) -> Tensor:
        weights = there[..., None].float()
        query = (self.query(candidates) * weights).sum(1) / weights.sum(1)  # [batch, keys]
        keys = self.keys(candidates).unflatten(-1, (self.classes, KEYS))  # [batch, candidates, classes, keys]
        scores = torch.einsum("bd,bckd->bkc", query, keys) * KEYS**-0.5
        attention = scores.masked_fill(~there[:, None], float("-inf")).softmax(-1)
        fused = attention @ self.value(candidates)  # [batch, classes, hidden]
        logits: Tensor = (fused * self.out.weight).sum(-1) + self.out.bias
        return logits


def divergence(shared: Tensor, available: Tensor) -> Tensor:
    """Jensen-Shannon divergence of the shared vectors (as Bernoulli probabilities) of the modalities at hand."""
    weights = available[..., None].float() / available.sum(1)[:, None, None]
    each = torch.sigmoid(shared).clamp(1e-5, 1 - 1e-5)
    mixture = (each * weights).sum(1)
    return (_entropy(mixture) - (_entropy(each) * weights).sum(1)).mean()


def _entropy(probability: Tensor) -> Tensor:
    return -(probability * probability.log() + (1 - probability) * (1 - probability).log())
