"""A network as a baseline: the setting chosen from the grid, then as many members as our own ensemble has.

Member j learns from all training patients but those of fold j, so that every training case also has an answer from
a member that never saw it: what stacking learns from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from services.diagnosis.evaluation.baselines.baseline import (
    Arrays,
    Baseline,
    OnStep,
    Shape,
    negative_log_likelihood,
    silent,
    softmax,
)
from services.diagnosis.evaluation.baselines.features import Array, Examples, Features, Rows, replays
from services.diagnosis.evaluation.baselines.network import GRID, Batch, Network, Setting
from services.diagnosis.training.pretrain import count_batches, shuffled_batches

Build = Callable[[Shape, Setting], Network]
WEIGHT_DECAY = 0.05
WARM_UP = 0.1
ASKED_AT_ONCE = 2048


@dataclass(frozen=True)
class Budget:
    """How long, and how many."""

    epochs: int = 20
    members: int = 5
    grid: tuple[Setting, ...] = GRID

    def __post_init__(self) -> None:
        if self.members < 2:
            raise ValueError(f"cross-fitting needs at least two members, got {self.members}")

    @property
    def fits(self) -> int:
        """Networks trained per baseline: one per setting, then the other members of the best."""
        return len(self.grid) + self.members - 1


class LearnedBaseline(Baseline):
    """Members of one kind of network."""

    def __init__(
        self, name: str, shape: Shape, build: Build, budget: Budget, seen: tuple[int, ...] | None = None
    ) -> None:
        super().__init__(name, shape, seen)
        self.build, self.budget = build, budget
        self.setting = budget.grid[0]
        self.networks: list[Network] = []
        self.tried: list[float] = []
        """Held-out loss of each setting of the grid."""
        self.out_of_fold: Array | None = None
        """[training cases, classes] logits from a member that did not see the case; NaN where it could not answer."""

    def learn(self, train: Examples, held_out: Examples, *, seed: int, on_step: OnStep = silent) -> None:
        folds = fold_of(train.features.groups, self.budget.members, seed)
        first = []
        for setting in self.budget.grid:
            first.append(self._member(train, folds, 0, setting, seed))
            on_step()
        self.tried = [self._held_out_loss(network, held_out) for network in first]
        best = int(np.argmin(self.tried))
        self.setting, self.networks = self.budget.grid[best], [first[best]]
        for member in range(1, self.budget.members):
            self.networks.append(self._member(train, folds, member, self.setting, seed))
            on_step()
        self.out_of_fold = self._cross_fit(train.features, folds)

    def _member(self, train: Examples, folds: Rows, member: int, setting: Setting, seed: int) -> Network:
        torch.manual_seed(seed * 1000 + member)
        network = self.build(self.shape, setting)
        usable = network.learns_from(train.features.available)
        rows = np.flatnonzero(usable & (folds != member))
        rows = rows if len(rows) else np.flatnonzero(usable)
        if len(rows):
            train_network(network, train.take(rows), setting, epochs=self.budget.epochs, seed=seed * 1000 + member)
        halve_precision(network)
        return network.eval()

    def _held_out_loss(self, network: Network, held_out: Examples) -> float:
        losses, counts = [0.0], [0]
        for rows, features in replays(held_out.features, self.seen):
            asked = np.flatnonzero(network.is_asked(features.available))
            if len(asked):
                probabilities = softmax(ask(network, features.take(asked)))
                losses.append(negative_log_likelihood(probabilities, held_out.labels[rows[asked]]) * len(asked))
                counts.append(len(asked))
        return sum(losses) / max(1, sum(counts))

    def _cross_fit(self, features: Features, folds: Rows) -> Array:
        answers = np.full((len(features), self.shape.classes), np.nan)
        seen = self.codes(features) > 0
        for member, network in enumerate(self.networks):
            rows = np.flatnonzero(seen & (folds == member))
            if len(rows):
                answers[rows] = ask(network, features.take(rows))
        return answers

    def member_logits(self, features: Features) -> Array:
        return np.stack([ask(network, features) for network in self.networks])

    def arrays(self) -> Arrays:
        stored: Arrays = {}
        for index, network in enumerate(self.networks):
            halves = {name for name, _ in network.named_parameters()}
            for key, value in network.state_dict().items():
                stored[f"{index}.{key}"] = (value.half() if key in halves else value).numpy().copy()
        return stored

    def settings(self) -> dict[str, Any]:
        grid = [asdict(setting) for setting in self.budget.grid]
        return {"setting": asdict(self.setting), "members": len(self.networks), "grid": grid, "losses": self.tried}

    def restore(self, arrays: Arrays, settings: Mapping[str, Any]) -> None:
        self.setting = Setting(**settings["setting"])
        self.tried = list(settings["losses"])
        self.budget = replace(self.budget, grid=tuple(Setting(**entry) for entry in settings["grid"]))
        self.networks = []
        for index in range(settings["members"]):
            network, prefix = self.build(self.shape, self.setting), f"{index}."
            own = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
            network.load_state_dict({key: torch.from_numpy(np.array(value)).float() for key, value in own.items()})
            self.networks.append(network.eval())


def fold_of(groups: Rows, folds: int, seed: int) -> Rows:
    """[n] in [0, folds): the same for all rows of a patient, about equally many patients in each."""
    patients, index = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(patients))
    return np.asarray(order[index] % folds, np.int64)


def train_network(network: Network, examples: Examples, setting: Setting, *, epochs: int, seed: int) -> None:
    """AdamW with warm-up and cosine decay, in place."""
    rng = torch.Generator().manual_seed(seed)
    batch, labels, n = Batch.of(examples.features), torch.from_numpy(examples.labels), len(examples)
    network.standardise.fit(batch.pooled, batch.available)
    optimizer = torch.optim.AdamW(network.parameters(), lr=setting.learning_rate, weight_decay=WEIGHT_DECAY)
    size = min(128, max(16, n // 8))
    total, step = epochs * count_batches(n, size), 0
    network.train()
    for _ in range(epochs):
        for rows in shuffled_batches(n, size, rng):
            optimizer.param_groups[0]["lr"] = setting.learning_rate * _rate(step, total)
            chosen = torch.from_numpy(rows)
            loss = network.loss(batch.take(chosen), labels[chosen], rng)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            step += 1
    network.eval()


def _rate(step: int, total: int) -> float:
    """Share of the full learning rate."""
    warm = max(1, round(WARM_UP * total))
    return min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / total))


def halve_precision(network: nn.Module) -> None:
    """Round the weights to the half precision that is stored, before anything is chosen or calibrated with them."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def ask(network: Network, features: Features) -> Array:
    """Logits [n, classes]."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(features), ASKED_AT_ONCE):
            rows = np.arange(start, min(len(features), start + ASKED_AT_ONCE))
            parts.append(network(Batch.of(features.take(rows))).double().numpy())
    return np.concatenate(parts)
