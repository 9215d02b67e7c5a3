"""The vitals encoder with one logit, and its ensemble: what is learned is the branch of running summaries."""

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
from services.diagnosis.model.vitals_running import RunningSums, gather_running
from services.diagnosis.training.physionet.stays import NAMES, Array, Feed, Scale, Stay

ENCODER = VitalsConfig(
    variables=len(NAMES), width=8, values=4, queries=1, heads=2, sign_heads=1, half_lives_h=(24.0,), harmonics=0,
    running_bins=8, running_width=64, running_dropout=0.5,
)  # fmt: skip
"""The slots are as small as they can be: they stay silent (`ReadOut.hush`), since learning from them lost accuracy."""


@dataclass(frozen=True)
class Plan:
    """Every number of the encoder's training."""

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    members: int = 5
    dim: int = 32
    tokens: int = 1
    dropout: float = 0.2
    """Before the logit."""
    model: VitalsConfig = ENCODER


class Mortality(nn.Module):
    """The vitals encoder and one logit."""

    def __init__(self, plan: Plan) -> None:
        """Raises: ValueError: an encoder without running summaries."""
        super().__init__()
        self.encoder = VitalsEncoder(plan.dim, plan.tokens, plan.model)
        if self.encoder.running is None:
            raise ValueError("mortality is learned from running summaries: the plan's running_bins must not be 0")
        self.running = self.encoder.running
        self.head = nn.Sequential(nn.LayerNorm(plan.dim), nn.Dropout(plan.dropout), nn.Linear(plan.dim, 1))

    def forward(self, inputs: Inputs) -> Tensor:
        """[batch] logits of the whole encoder."""
        logit: Tensor = self.head(self.encoder(inputs).pooled)[:, 0]
        return logit

    def judge(self, sums: RunningSums) -> Tensor:
        """[batch] logits of the branch alone, which are the encoder's while its slots are silent."""
        logit: Tensor = self.head(self.running(sums))[:, 0]
        return logit


def train_member(sums: RunningSums, died: Array, plan: Plan, seed: int) -> Mortality:
    """One member. No weight of the branch changes what is gathered, so it is gathered once: `sums` of all stays."""
    torch.manual_seed(seed)
    rng, model = np.random.default_rng(seed), Mortality(plan)
    model.running.settle(sums)
    weights = [*model.running.parameters(), *model.head.parameters()]
    steps = plan.epochs * (len(died) // plan.batch_size)
    optimizer = torch.optim.AdamW(weights, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, total_steps=steps, pct_start=0.2)
    targets = torch.from_numpy(died).float()
    model.train()
    for _ in range(plan.epochs):
        order = torch.from_numpy(rng.permutation(len(died)))
        for start in range(0, len(died) - plan.batch_size + 1, plan.batch_size):
            rows = order[start : start + plan.batch_size]
            loss = functional.binary_cross_entropy_with_logits(model.judge(sums.of(rows)), targets[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
    return model.eval()


def gather_stays(feed: Feed) -> RunningSums:
    """[stays, variables]: the running sums of whole stays at their 48th hour."""
    every = feed(np.arange(len(feed.stays)))
    values = every["readings"][..., 0]
    return gather_running(values, every["times_h"], every["variables"], every["mask"], len(NAMES))


def ask(model: Mortality, feed: Feed) -> Array:
    """[stays] logits, of the whole encoder from the readings on."""
    n = len(feed.stays)
    with torch.no_grad():
        parts = [model(feed(np.arange(start, min(n, start + 100)))) for start in range(0, n, 100)]
    return torch.cat(parts).numpy().astype(np.float64)


def fit_encoder(train: Sequence[Stay], test: Sequence[Stay], plan: Plan, seed: int) -> Array:
    """Mean log-odds of the members on the test stays."""
    scale = Scale.fit(train)
    sums, held_out = gather_stays(Feed.of(train, scale)), Feed.of(test, scale)
    died = np.array([stay.died for stay in train], np.float64)
    members = [train_member(sums, died, plan, 1000 * seed + j) for j in range(plan.members)]
    return np.asarray(np.mean([ask(member, held_out) for member in members], axis=0))
