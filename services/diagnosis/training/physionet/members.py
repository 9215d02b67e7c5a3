"""The vitals encoder with one logit, and its ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.model.config import VitalsConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.vitals_encoder import VitalsEncoder
from services.diagnosis.training.physionet.stays import NAMES, Array, Feed, Scale, Stay
from services.diagnosis.training.pretrain import SETTLING_CASES

ENCODER = VitalsConfig(
    variables=len(NAMES), width=32, values=16, queries=4, heads=2, sign_heads=1,
    half_lives_h=(2.0, 8.0, 24.0, 96.0), harmonics=0, dropout=0.2,
)  # fmt: skip
"""Narrow: there are few stays. The hour of admission is not known, so there is no clock."""


@dataclass(frozen=True)
class Plan:
    """Every number of the encoder's training."""

    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    members: int = 3
    dim: int = 32
    tokens: int = 4
    model: VitalsConfig = ENCODER


class Mortality(nn.Module):
    """The vitals encoder and one logit."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.encoder = VitalsEncoder(plan.dim, plan.tokens, plan.model)
        self.head = nn.Sequential(nn.LayerNorm(plan.dim), nn.Dropout(plan.model.dropout), nn.Linear(plan.dim, 1))

    def forward(self, inputs: Inputs) -> Tensor:
        """[batch] logits."""
        logit: Tensor = self.head(self.encoder(inputs).pooled)[:, 0]
        return logit


def train_member(feed: Feed, died: Array, plan: Plan, seed: int) -> Mortality:
    """One member. Returns: the exponential mean of its weights over the last part of the training."""
    torch.manual_seed(seed)
    rng, model = np.random.default_rng(seed), Mortality(plan)
    model.encoder.settle(feed(np.arange(min(SETTLING_CASES, len(died)))))
    steps = plan.epochs * (len(died) // plan.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, total_steps=steps, pct_start=0.2)
    ema = torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)  # type: ignore[no-untyped-call]
    mean = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=ema)
    targets = torch.from_numpy(died).float()
    model.train()
    for _ in range(plan.epochs):
        order = rng.permutation(len(died))
        for start in range(0, len(died) - plan.batch_size + 1, plan.batch_size):
            rows = order[start : start + plan.batch_size]
            loss = functional.binary_cross_entropy_with_logits(model(feed(rows, rng)), targets[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            mean.update_parameters(model)
    averaged: Mortality = mean.module  # type: ignore[assignment]
    return averaged.eval()


def ask(model: Mortality, feed: Feed) -> Array:
    """[stays] logits."""
    n = len(feed.stays)
    with torch.no_grad():
        parts = [model(feed(np.arange(start, min(n, start + 100)))) for start in range(0, n, 100)]
    return torch.cat(parts).numpy().astype(np.float64)


def fit_encoder(train: Sequence[Stay], test: Sequence[Stay], plan: Plan, seed: int) -> Array:
    """Mean log-odds of the members on the test stays."""
    scale = Scale.fit(train)
    feed, held_out = Feed.of(train, scale), Feed.of(test, scale)
    died = np.array([stay.died for stay in train], np.float64)
    members = [train_member(feed, died, plan, 1000 * seed + j) for j in range(plan.members)]
    return np.asarray(np.mean([ask(member, held_out) for member in members], axis=0))
