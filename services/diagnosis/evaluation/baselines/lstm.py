"""MedFuse: the modalities at hand as a sequence for an LSTM, whose last state is classified.

Hayat, Geras, Shamout: MedFuse: Multi-modal Fusion with Clinical Time-series Data and Chest X-ray Images, MLHC 2022
(arXiv 2207.07027). There each modality is one step; here its tokens come first, so that it sees what our fusion sees.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from services.diagnosis.evaluation.baselines.baseline import Shape
from services.diagnosis.evaluation.baselines.network import Batch, Network, Setting, Standardise


class LstmFusion(Network):
    """Steps: every token of every modality present, then its pooled vector, in the order of the modalities."""

    def __init__(self, shape: Shape, setting: Setting) -> None:
        super().__init__()
        self.standardise = Standardise(shape.modalities, shape.dim)
        self.norm = nn.LayerNorm(shape.dim)
        self.project = nn.ModuleList(nn.Linear(shape.dim, setting.hidden) for _ in range(shape.modalities))
        self.lstm = nn.LSTM(setting.hidden, setting.hidden, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(setting.dropout), nn.Linear(setting.hidden, shape.classes))

    def forward(self, batch: Batch) -> Tensor:
        steps = self.standardise(batch.pooled)[:, :, None]  # [batch, modalities, 1, dim]
        if batch.tokens is not None:
            steps = torch.cat([self.norm(batch.tokens), steps], dim=2)
        projected = torch.stack([layer(steps[:, m]) for m, layer in enumerate(self.project)], dim=1)
        sequence = projected.flatten(1, 2)  # [batch, modalities * steps, hidden]
        there = batch.available.repeat_interleave(steps.shape[2], dim=1)
        order = there.long().argsort(dim=1, descending=True, stable=True)  # the present ones move to the front
        states, _ = self.lstm(sequence.gather(1, order[..., None].expand_as(sequence)))
        last = there.sum(1).sub(1)[:, None, None].expand(-1, 1, states.shape[-1])
        logits: Tensor = self.head(states.gather(1, last)[:, 0])
        return logits
