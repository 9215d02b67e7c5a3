"""Negative log-likelihood of every kind of question, cases without a label left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from services.diagnosis.model.modalities import DETERIORATION, SEVERITY, TaskSpec
from services.diagnosis.model.tasks import split_tasks

UNKNOWN = -1
"""Target of a case whose answer is not known."""
TASK_WEIGHTS: Mapping[str, float] = {DETERIORATION: 0.5, SEVERITY: 0.5}
"""Of the sum over tasks; what is not named weighs 1."""


def task_losses(tasks: Sequence[TaskSpec], logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Weighted sum over the tasks [batch].

    Args:
        logits: [batch, logits of all tasks].
        targets: task name -> class or level [batch], or 0/1 [batch] (binary) or [batch, logits] (multilabel); -1 where
            it is not known. Or what to believe: of every class or level [batch, classes or levels], zeros where nobody
            knows, or a probability in place of 0/1. A task without targets is left out.
    """
    parts = split_tasks(tasks, logits)
    total = logits.new_zeros(len(logits), dtype=torch.float32)
    for task in tasks:
        if task.name in targets:
            loss = task_loss_of(task, parts[task.name].float(), targets[task.name])
            total = total + TASK_WEIGHTS.get(task.name, 1.0) * loss
    return total


def task_loss_of(task: TaskSpec, logits: Tensor, target: Tensor) -> Tensor:
    """One task's negative log-likelihood [batch], of a belief its mean; 0 where the target is unknown."""
    if task.kind == "multiclass" and target.dim() == 2:
        return functional.cross_entropy(logits, target, reduction="none")
    if task.kind == "multiclass":
        return functional.cross_entropy(logits, target.long(), ignore_index=UNKNOWN, reduction="none")
    if task.kind == "ordinal":
        return _sequential_loss(logits, target if target.dim() == 2 else one_hot_levels(target, logits.shape[-1] + 1))
    wide = target.float().view(len(logits), -1)
    loss = functional.binary_cross_entropy_with_logits(logits, wide.clamp(min=0), reduction="none")
    return (loss * (wide >= 0)).sum(-1)


def one_hot_levels(level: Tensor, levels: int) -> Tensor:
    """[batch] -> [batch, levels]; zeros where the level is unknown."""
    return (level[:, None] == torch.arange(levels, device=level.device)).float()


def _sequential_loss(logits: Tensor, belief: Tensor) -> Tensor:
    """-Σ belief · log P(y = level): each step is a question of its own to who reached it, whether to go beyond.

    Args:
        logits: [batch, levels - 1]; belief: [batch, levels].
    """
    stops = belief[:, :-1]
    beyond = belief.flip(-1).cumsum(-1).flip(-1)[:, 1:]  # of going beyond each step
    return -(beyond * functional.logsigmoid(logits) + stops * functional.logsigmoid(-logits)).sum(-1)


def divergence(tasks: Sequence[TaskSpec], whole: Tensor, part: Tensor) -> Tensor:
    """KL(whole ‖ part) summed over the tasks [batch], `whole` taken as given: what knows less should not disagree.

    Args:
        whole, part: logits [batch, logits of all tasks].
    """
    wholes, parts = split_tasks(tasks, whole.detach().float()), split_tasks(tasks, part.float())
    total = whole.new_zeros(len(whole), dtype=torch.float32)
    for task in tasks:
        own, other = wholes[task.name], parts[task.name]
        if task.kind == "multiclass":
            kl = functional.kl_div(other.log_softmax(-1), own.log_softmax(-1), log_target=True, reduction="none")
        else:
            p = own.sigmoid()
            kl = p * (functional.logsigmoid(own) - functional.logsigmoid(other))
            kl = kl + (1 - p) * (functional.logsigmoid(-own) - functional.logsigmoid(-other))
        total = total + kl.sum(-1)
    return total
