"""Death in hospital from 48 hours of intensive care (PhysioNet 2012): the vitals encoder against boosted trees.

`python -m services.diagnosis.training.physionet --path DIR`. Five stratified 80/20 splits, the same for everybody;
every scale, weight and tree is of the training part alone. Three parts are trained and reported, and two means of them:

- `encoder`: `model.vitals_encoder` with a slot for each of the 37 variables and for the facts at admission, an ensemble
  of members on their own random halves of readings, variables and hours;
- `boosted`: HistGradientBoosting on summaries of each variable, the baseline;
- `linear`: logistic regression on the same summaries;
- `encoder+boosted`, `encoder+boosted+linear`: means of their log-odds.

Whatever the summaries need (count, first, last, least, largest, sums of v, v², t, tv) is kept in O(1) per reading too,
so the streaming property holds for the sum of all parts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.datasets.physionet2012 import HORIZON_H, TASKS, PhysioNet2012
from services.diagnosis.datasets.physionet_variables import BODY_HEIGHT, ICU_TYPES, VARIABLES
from services.diagnosis.model.config import VitalsConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.vitals_encoder import VitalsEncoder

Array = NDArray[np.float64]
FACTS = ("age", "male", "height", *ICU_TYPES.values())
"""Known at admission, as readings of that moment."""
NAMES = (*VARIABLES, *FACTS)
SUMMARIES = ("count", "first", "last", "min", "max", "mean", "std", "slope")
SKEWED = 2.0
"""Skewness of a variable from which its logarithm is taken."""
PARTS = ("encoder", "boosted", "linear")
MEANS = {"encoder+boosted": ("encoder", "boosted"), "encoder+boosted+linear": PARTS}


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


@dataclass(frozen=True)
class Stay:
    """One stay's readings, facts among them, oldest first; hours relative to the 48th."""

    times_h: Array
    variables: NDArray[np.int64]
    values: Array
    died: bool


def read_stays(path: Path) -> list[Stay]:
    """Every stay below `path`. Raises: DatasetError."""
    return [_stay(case) for case in PhysioNet2012(path).cases()]


def _stay(case: LabelledCase) -> Stay:
    inputs, series = case.inputs, case.series
    facts: dict[str, float | None] = {
        "age": inputs.age_years,
        "male": None if inputs.sex is None else float(inputs.sex == "M"),
        "height": case.measurements.get(BODY_HEIGHT),
        **({case.subgroups["icu"]: 1.0} if "icu" in case.subgroups else {}),
    }
    known = [(NAMES.index(name), value) for name, value in facts.items() if value is not None]
    times = [np.full(len(known), -HORIZON_H)]
    variables, values = [[index for index, _ in known]], [[value for _, value in known]]
    if series is not None:
        times.append(series.times_h)
        variables.append([NAMES.index(name) for name in series.variables])
        values.append(series.values.tolist())
    order = np.argsort(np.concatenate(times), kind="stable")
    return Stay(
        np.concatenate(times)[order],
        np.array([index for part in variables for index in part], np.int64)[order],
        np.array([value for part in values for value in part], np.float64)[order],
        bool(case.targets[TASKS[0].name]),
    )


@dataclass(frozen=True)
class Scale:
    """Logarithm where skewed, then mean and deviation, within the first and last hundredth: of training stays alone."""

    logarithm: NDArray[np.bool_]
    low: Array
    high: Array
    mean: Array
    deviation: Array

    @classmethod
    def fit(cls, stays: Sequence[Stay]) -> Scale:
        variables = np.concatenate([stay.variables for stay in stays])
        values = np.concatenate([stay.values for stay in stays])
        rows = []
        for index in range(len(NAMES)):
            own = values[variables == index] if (variables == index).any() else np.zeros(1)
            deviation = own.std()
            skew = ((own - own.mean()) ** 3).mean() / deviation**3 if deviation > 0 else 0.0
            shown = np.log1p(np.maximum(own, 0)) if skew > SKEWED else own
            low, high = np.quantile(shown, (0.01, 0.99))
            clipped = np.clip(shown, low, high)
            rows.append((skew > SKEWED, low, high, clipped.mean(), clipped.std() or 1.0))
        logarithm, low, high, mean, deviation = (np.array(column) for column in zip(*rows, strict=True))
        return cls(logarithm, low, high, mean, deviation)

    def __call__(self, stay: Stay) -> Array:
        own = stay.variables
        shown = np.where(self.logarithm[own], np.log1p(np.maximum(stay.values, 0)), stay.values)
        clipped = np.clip(shown, self.low[own], self.high[own])
        return np.asarray((clipped - self.mean[own]) / self.deviation[own])


def summarise(stay: Stay) -> Array:
    """[variables x 8 + facts]: `SUMMARIES` of each variable, NaN where it was not measured; then the facts."""
    out = np.full((len(VARIABLES), len(SUMMARIES)), np.nan)
    out[:, 0] = 0
    for index in range(len(VARIABLES)):
        own = stay.variables == index
        if own.any():
            v, t = stay.values[own], stay.times_h[own]
            spread = float(((t - t.mean()) ** 2).sum())
            slope = float(((t - t.mean()) * (v - v.mean())).sum()) / spread if spread > 0 else 0.0
            out[index] = len(v), v[0], v[-1], v.min(), v.max(), v.mean(), v.std(), slope
    facts = np.full(len(FACTS), np.nan)
    facts[3:] = 0
    for index, value in zip(stay.variables, stay.values, strict=True):
        if index >= len(VARIABLES):
            facts[index - len(VARIABLES)] = value
    return np.concatenate([out.ravel(), facts])


@dataclass(frozen=True)
class Feed:
    """Batches of stays, as the encoder takes them."""

    features: tuple[NDArray[np.float32], ...]
    stays: tuple[Stay, ...]

    @classmethod
    def of(cls, stays: Sequence[Stay], scale: Scale) -> Feed:
        return cls(tuple(_features(stay, scale(stay)) for stay in stays), tuple(stays))

    def __call__(self, rows: NDArray[np.int64], rng: np.random.Generator | None = None) -> Inputs:
        """Padded readings; with a generator some variables, hours and readings are left out."""
        kept = [self._kept(row, rng) for row in rows]
        longest = max(int(own.sum()) for own in kept)
        out = {
            "readings": torch.zeros(len(rows), longest, 4),
            "times_h": torch.zeros(len(rows), longest),
            "clock_h": torch.zeros(len(rows), longest),
            "variables": torch.zeros(len(rows), longest, dtype=torch.long),
            "mask": torch.zeros(len(rows), longest, dtype=torch.bool),
        }
        for line, (row, own) in enumerate(zip(rows, kept, strict=True)):
            count, stay = int(own.sum()), self.stays[row]
            out["readings"][line, :count] = torch.from_numpy(self.features[row][own])
            out["times_h"][line, :count] = torch.from_numpy(stay.times_h[own].astype(np.float32))
            out["variables"][line, :count] = torch.from_numpy(stay.variables[own])
            out["mask"][line, :count] = True
        return out

    def _kept(self, row: int, rng: np.random.Generator | None) -> NDArray[np.bool_]:
        stay = self.stays[row]
        if rng is None:
            return np.ones(len(stay.times_h), np.bool_)
        kept = (rng.random(len(NAMES)) > 0.15)[stay.variables]
        start = rng.uniform(-HORIZON_H, 0)
        kept &= ~((stay.times_h >= start) & (stay.times_h < start + rng.uniform(0, 12)))
        kept &= rng.random(len(kept)) < rng.uniform(0.4, 1.0)
        return kept if kept.any() else np.ones(len(kept), np.bool_)


def _features(stay: Stay, value: Array) -> NDArray[np.float32]:
    """[n, 4] as `preprocessing.vitals.reading_features`: value, change, log gap, first of its kind."""
    last: dict[int, tuple[float, float]] = {}
    rows = np.zeros((len(value), 4), np.float32)
    for i, (variable, t, v) in enumerate(
        zip(stay.variables.tolist(), stay.times_h.tolist(), value.tolist(), strict=True)
    ):
        before = last.get(variable)
        rows[i] = (v, 0, 0, 1) if before is None else (v, v - before[1], np.log1p(t - before[0]), 0)
        last[variable] = t, v
    return rows


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
    steps = plan.epochs * (len(died) // plan.batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.learning_rate, total_steps=steps, pct_start=0.2)
    mean = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98))
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
    return np.mean([ask(member, held_out) for member in members], axis=0)


def fit_boosted(train: Array, died: NDArray[np.bool_], test: Array, seed: int) -> Array:
    """Log-odds of boosted trees on the summaries, with scikit-learn's settings as they are."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(random_state=seed, **BOOSTED).fit(train, died)
    return np.asarray(model.decision_function(test), np.float64)


BOOSTED: Mapping[str, Any] = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 8, "l2_regularization": 1.0}


def fit_linear(train: Array, died: NDArray[np.bool_], test: Array) -> Array:
    """Log-odds of logistic regression: medians for what is missing, and flags that say so."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        QuantileTransformer(n_quantiles=200, output_distribution="normal"),
        LogisticRegression(C=0.003, max_iter=2000),
    ).fit(train, died)
    return np.asarray(model.decision_function(test), np.float64)


def run_split(stays: Sequence[Stay], seed: int, plan: Plan) -> dict[str, dict[str, float]]:
    """Part or mean -> AUROC, AUPRC and seconds of one split."""
    from sklearn.metrics import average_precision_score, roc_auc_score
    from sklearn.model_selection import train_test_split

    died = np.array([stay.died for stay in stays])
    train, test = train_test_split(np.arange(len(stays)), test_size=0.2, stratify=died, random_state=seed)
    tables = np.stack([summarise(stay) for stay in stays])
    chosen = [stays[i] for i in train], [stays[i] for i in test]
    answers, seconds = {}, {}
    for name in PARTS:
        started = time.process_time()
        if name == "encoder":
            answers[name] = fit_encoder(*chosen, plan, seed)
        elif name == "boosted":
            answers[name] = fit_boosted(tables[train], died[train], tables[test], seed)
        else:
            answers[name] = fit_linear(tables[train], died[train], tables[test])
        seconds[name] = time.process_time() - started
    answers |= {name: np.mean([answers[part] for part in parts], axis=0) for name, parts in MEANS.items()}
    return {
        name: {
            "auroc": float(roc_auc_score(died[test], answer)),
            "auprc": float(average_precision_score(died[test], answer)),
            **({"cpu_s": round(seconds[name], 1)} if name in seconds else {}),
        }
        for name, answer in answers.items()
    }


def compare(splits: Sequence[Mapping[str, Mapping[str, float]]], baseline: str = "boosted") -> dict[str, Any]:
    """Mean and deviation over the splits, and of the paired difference to the baseline."""
    out: dict[str, Any] = {}
    for name in splits[0]:
        own = np.array([split[name]["auroc"] for split in splits])
        gain = own - np.array([split[baseline]["auroc"] for split in splits])
        spread = [float(x.std(ddof=1)) if len(x) > 1 else 0.0 for x in (own, gain)]
        out[name] = {
            "auroc": float(own.mean()), "auroc_sd": spread[0], "gain": float(gain.mean()), "gain_sd": spread[1],
            "wins": int((gain > 0).sum()), "auprc": float(np.mean([split[name]["auprc"] for split in splits])),
        }  # fmt: skip
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare, print a table and, with --out, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--path", type=Path, required=True, help="records.csv.gz and outcomes.csv, or set-a/ …")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--members", type=int, default=Plan.members)
    parser.add_argument("--epochs", type=int, default=Plan.epochs)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    stays, plan = read_stays(asked.path), Plan(members=asked.members, epochs=asked.epochs)
    splits = []
    for seed in range(asked.seeds):
        splits.append(run_split(stays, seed, plan))
        _say(f"seed {seed}: " + ", ".join(f"{name} {figures['auroc']:.4f}" for name, figures in splits[-1].items()))
        result = {"n": len(stays), "splits": splits, "mean": compare(splits), "members": plan.members}
        if asked.out:
            asked.out.write_text(json.dumps(result, indent=1))
    for name, row in compare(splits).items():
        _say(f"{name:24} {row['auroc']:.4f} ± {row['auroc_sd']:.4f}  gain {row['gain']:+.4f} ± {row['gain_sd']:.4f}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
