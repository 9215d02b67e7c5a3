"""From logits to probabilities, by kind of question.

multiclass: softmax. binary and multilabel: a sigmoid per logit. ordinal with K levels: K - 1 logits of a sequential
model, where sigmoid(z_j) = P(y > j | y >= j) (Tutz 1991; arXiv 2111.08851), so that any logits give a distribution and
the sum of log-odds of several modalities stays one; the probabilities told are P(y > 0), …, P(y > K - 2).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from services.diagnosis.model.modalities import TaskSpec


def split_tasks(tasks: Sequence[TaskSpec], values: Tensor) -> dict[str, Tensor]:
    """[..., logits of all tasks] -> task name -> [..., its logits]."""
    parts = torch.split(values, [task.logits for task in tasks], dim=-1)
    return {task.name: part for task, part in zip(tasks, parts, strict=True)}


def task_probabilities(tasks: Sequence[TaskSpec], logits: Tensor) -> Tensor:
    """Logits [..., logits of all tasks] -> probabilities of the same shape."""
    parts = split_tasks(tasks, logits)
    return torch.cat([_probabilities(task, parts[task.name]) for task in tasks], dim=-1)


def _probabilities(task: TaskSpec, logits: Tensor) -> Tensor:
    if task.kind == "multiclass":
        return logits.softmax(-1)
    if task.kind == "ordinal":
        return logits.sigmoid().cumprod(-1)
    return logits.sigmoid()


def level_probabilities(exceedance: Tensor) -> Tensor:
    """P(y > 0), …, P(y > K - 2) [..., K - 1] -> P(y = 0), …, P(y = K - 1) [..., K]."""
    ones, zeros = torch.ones_like(exceedance[..., :1]), torch.zeros_like(exceedance[..., :1])
    reached = torch.cat([ones, exceedance, zeros], dim=-1)
    return reached[..., :-1] - reached[..., 1:]
