"""Calibration per availability pattern, applied: from member logits to probabilities that mean what they say.

Each logit is divided by T_{S,k} = exp(t_0 + a_S + b_k) and shifted by c_{S,k} (S the pattern, k the class); then
softmax or sigmoid per member. Where the calibration split was large enough to choose one, a curve per class follows,
and the diagnoses are normalised again. The ensemble's probability is the mean over its members. `training.calibrate`
fits all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from services.diagnosis.model.config import TASKS, tasks_of
from services.diagnosis.model.modalities import PATTERNS, TaskSpec
from services.diagnosis.model.tasks import task_probabilities

MIN_CASES, MIN_CASES_PER_CLASS = 200, 10
"""Below either, the answers under a pattern are called uncalibrated."""
_TINY = 1e-6


class Curve(Protocol):
    """A monotone map of each class's probability [..., classes]; differentiable almost everywhere."""

    @property
    def kind(self) -> str: ...

    def __call__(self, probabilities: Tensor) -> Tensor: ...

    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class BetaCurve:
    """Odds = e^c p^a / (1 - p)^b per class (Kull, Silva Filho & Flach 2017, PMLR 54:623); `parameters` [3, classes]."""

    parameters: Tensor
    kind: Literal["beta"] = "beta"

    def __call__(self, probabilities: Tensor) -> Tensor:
        p = probabilities.clamp(_TINY, 1 - _TINY)
        a, b, c = self.parameters.to(p.dtype)
        odds: Tensor = a * p.log() - b * torch.log1p(-p) + c
        return odds.sigmoid()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "parameters": self.parameters.tolist()}


@dataclass(frozen=True)
class IsotonicCurve:
    """Straight lines between knots: `x` ascending and `y` not falling, both [classes, knots]."""

    x: Tensor
    y: Tensor
    kind: Literal["isotonic"] = "isotonic"

    def __call__(self, probabilities: Tensor) -> Tensor:
        parts = [self._one(probabilities[..., k], k) for k in range(len(self.x))]
        return torch.stack(parts, dim=-1)

    def _one(self, p: Tensor, k: int) -> Tensor:
        x, y = self.x[k].to(p.dtype), self.y[k].to(p.dtype)
        right = torch.searchsorted(x, p.detach().contiguous()).clamp(1, len(x) - 1)
        share = ((p - x[right - 1]) / (x[right] - x[right - 1])).clamp(0, 1)
        return y[right - 1] + share * (y[right] - y[right - 1])

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "x": self.x.tolist(), "y": self.y.tolist()}


def curve_from_json(value: Mapping[str, Any]) -> Curve:
    """Raises: ValueError: an unknown kind."""
    if value["kind"] == "beta":
        return BetaCurve(torch.tensor(value["parameters"], dtype=torch.float64))
    if value["kind"] == "isotonic":
        x, y = (torch.tensor(value[key], dtype=torch.float64) for key in ("x", "y"))
        return IsotonicCurve(x, y)
    raise ValueError(f"no calibration curve is called {value['kind']}")


@dataclass(frozen=True)
class Calibrator:
    """`temperatures` and `shifts` [patterns, logits], float64; `counts`: calibration cases per pattern."""

    temperatures: Tensor
    shifts: Tensor
    counts: Mapping[str, int]
    class_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Per pattern, calibration cases of each diagnosis."""
    curves: Mapping[str, Curve] = field(default_factory=dict)
    """Pattern -> what follows the softmax; patterns without one are not in it."""
    checks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Pattern -> naturally incomplete patients against replayed ones: how many, and the calibration error of both."""
    tasks: tuple[TaskSpec, ...] = TASKS
    """The questions that the logits answer; the first is the diagnosis."""

    def member_probabilities(self, logits: Tensor, patterns: Tensor) -> Tensor:
        """Member logits [members, batch, logits] and pattern indices [batch] -> probabilities of the same shape."""
        scaled = logits.to(self.temperatures.dtype) / self.temperatures[patterns] + self.shifts[patterns]
        probabilities = task_probabilities(self.tasks, scaled)
        return self._bend(probabilities, patterns) if self.curves else probabilities

    def _bend(self, probabilities: Tensor, patterns: Tensor) -> Tensor:
        bent, classes = probabilities, self.tasks[0].logits
        for row in sorted(set(patterns.tolist())):
            curve = self.curves.get(PATTERNS[row])
            if curve is not None:
                own = (patterns == row)[:, None]
                diagnoses = bend(curve, probabilities[..., :classes])
                bent = torch.where(own, torch.cat([diagnoses, probabilities[..., classes:]], dim=-1), bent)
        return bent

    def probabilities(self, logits: Tensor, patterns: Tensor) -> Tensor:
        """The ensemble's calibrated probabilities [batch, logits]."""
        return self.member_probabilities(logits, patterns).mean(0)

    def is_calibrated(self, pattern: str) -> bool:
        """Were there enough calibration cases, in all and of each diagnosis."""
        fewest = min(self.class_counts.get(pattern, (0,)))
        return self.counts[pattern] >= MIN_CASES and fewest >= MIN_CASES_PER_CLASS

    def to_json(self) -> dict[str, Any]:
        return {
            pattern: {
                "temperatures": self.temperatures[index].tolist(),
                "shifts": self.shifts[index].tolist(),
                "n": self.counts[pattern],
                "tasks": [asdict(task) for task in self.tasks],
                "nPerClass": list(self.class_counts[pattern]),
                "curve": self.curves[pattern].to_json() if pattern in self.curves else None,
                "naturalAgainstReplayed": dict(self.checks.get(pattern, {})),
            }
            for index, pattern in enumerate(PATTERNS)
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibrator:
        """Raises: KeyError: a pattern without calibration."""
        rows = {pattern: value[pattern] for pattern in PATTERNS}
        first = rows[PATTERNS[0]]
        # Bundles made before tasks were their own answer diagnosis and deterioration.
        before = tasks_of(len(first["temperatures"]) - 1, deterioration=True, severity=False)
        return cls(
            torch.tensor([row["temperatures"] for row in rows.values()], dtype=torch.float64),
            torch.tensor([row["shifts"] for row in rows.values()], dtype=torch.float64),
            {pattern: int(row["n"]) for pattern, row in rows.items()},
            {pattern: tuple(row["nPerClass"]) for pattern, row in rows.items()},
            {pattern: curve_from_json(row["curve"]) for pattern, row in rows.items() if row["curve"] is not None},
            {p: row["naturalAgainstReplayed"] for p, row in rows.items() if row["naturalAgainstReplayed"]},
            tuple(TaskSpec(**task) for task in first.get("tasks", ())) or before,
        )


def bend(curve: Curve, probabilities: Tensor) -> Tensor:
    """The curve on [..., classes], normalised to sum to 1."""
    bent = curve(probabilities).clamp_min(_TINY)
    return bent / bent.sum(-1, keepdim=True)
