"""Losses of every kind of question against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from services.diagnosis.model.modalities import TaskSpec
from services.diagnosis.model.tasks import level_probabilities, task_probabilities
from services.diagnosis.training.task_losses import divergence, task_loss_of, task_losses

ORDINAL = TaskSpec("severity", "ordinal", 2)
TASKS = (
    TaskSpec("kind", "multiclass", 3),
    TaskSpec("findings", "multilabel", 2),
    ORDINAL,
    TaskSpec("worse", "binary", 1),
)


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


@pytest.mark.parametrize(
    ("level", "likelihood"),
    [
        (0, 1 - _sigmoid(0.4)),
        (1, _sigmoid(0.4) * (1 - _sigmoid(-0.2))),
        (2, _sigmoid(0.4) * _sigmoid(-0.2)),
    ],
)
def test_an_ordinal_level_is_reached_step_by_step(level: int, likelihood: float) -> None:
    loss = task_loss_of(ORDINAL, torch.tensor([[0.4, -0.2]]), torch.tensor([level]))
    assert loss.item() == pytest.approx(-math.log(likelihood), rel=1e-6)


@pytest.mark.parametrize(("task", "answers"), [(ORDINAL, 3), (TaskSpec("kind", "multiclass", 3), 3)])
def test_the_loss_of_a_belief_is_the_mean_of_its_answers_losses(task: TaskSpec, answers: int) -> None:
    logits, belief = torch.randn(1, task.logits, generator=torch.Generator().manual_seed(0)), [0.25, 0.6, 0.15]
    each = [task_loss_of(task, logits, torch.tensor([k])).item() for k in range(answers)]
    expected = sum(p * loss for p, loss in zip(belief, each, strict=True))
    assert task_loss_of(task, logits, torch.tensor([belief])).item() == pytest.approx(expected)
    assert task_loss_of(task, logits, torch.zeros(1, answers)).item() == 0


def test_levels_are_a_distribution_whatever_the_logits() -> None:
    logits = torch.tensor([[-3.0, 5.0], [0.4, -0.2]])
    levels = level_probabilities(task_probabilities((ORDINAL,), logits))
    assert bool((levels >= 0).all())
    torch.testing.assert_close(levels.sum(-1), torch.ones(2))
    assert levels[1, 1].item() == pytest.approx(_sigmoid(0.4) * (1 - _sigmoid(-0.2)), rel=1e-6)


def test_several_labels_are_as_many_yes_no_questions() -> None:
    loss = task_loss_of(TaskSpec("f", "multilabel", 2), torch.tensor([[0.3, -1.0]]), torch.tensor([[1, 0]]))
    assert loss.item() == pytest.approx(-math.log(_sigmoid(0.3)) - math.log(1 - _sigmoid(-1.0)), rel=1e-6)


def test_probabilities_follow_the_kind() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0, 0.3, -1.0, 0.4, -0.2, 0.7]])
    p = task_probabilities(TASKS, logits)[0].tolist()
    assert sum(p[:3]) == pytest.approx(1)
    assert p[2] == pytest.approx(math.exp(3) / (math.e + math.exp(2) + math.exp(3)))
    assert p[3:5] == pytest.approx([_sigmoid(0.3), _sigmoid(-1.0)])
    assert p[5:7] == pytest.approx([_sigmoid(0.4), _sigmoid(0.4) * _sigmoid(-0.2)])
    assert p[7] == pytest.approx(_sigmoid(0.7))


def test_unknown_answers_weigh_nothing() -> None:
    logits = torch.randn(1, 8, generator=torch.Generator().manual_seed(1))
    unknown = {name: torch.tensor([-1]) for name in ("kind", "severity", "worse")}
    unknown["findings"] = torch.tensor([[-1, -1]])
    assert task_losses(TASKS, logits, unknown).item() == 0
    one = {**unknown, "worse": torch.tensor([1])}
    assert task_losses(TASKS, logits, one).item() == pytest.approx(-math.log(_sigmoid(logits[0, 7].item())), rel=1e-5)


def test_divergence_is_zero_for_the_same_answer_and_the_textbook_value_else() -> None:
    task = (TaskSpec("worse", "binary", 1),)
    whole, part = torch.tensor([[math.log(3.0)]]), torch.tensor([[0.0]])  # 3/4 against 1/2
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert divergence(task, whole, part).item() == pytest.approx(expected, rel=1e-5)
    assert divergence(TASKS, torch.zeros(1, 8), torch.zeros(1, 8)).item() == 0
