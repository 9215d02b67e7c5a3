"""Gradient balancing against values worked out by hand from the papers' formulas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from services.diagnosis.training.balance import MMPareto, Ogm, Unbalanced, ogm_coefficients, pareto_pull
from services.diagnosis.training.loop import Losses, Objective, Plan, Session, optimise
from services.diagnosis.training.loop.journal import read_journal
from services.diagnosis.training.loop.runtime import Runtime


def test_gradients_that_agree_are_added() -> None:
    pull = pareto_pull(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0]), gamma=1.0)
    assert pull.gradient.tolist() == [2.0, 1.0]
    assert pull.joint_weight == 0.5
    assert pull.cosine == pytest.approx(0.5**0.5)
    assert pull.norms == pytest.approx((1.0, 2**0.5))


def test_gradients_in_conflict_give_the_shortest_combination_at_the_length_of_their_sum() -> None:
    # |a(1, 0) + (1 - a)(-1, 1)|^2 is least at a = 3/5: twice (0.2, 0.4), of length 0.8^0.5. The sum is (0, 1).
    pull = pareto_pull(torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0]), gamma=1.5)
    assert pull.joint_weight == pytest.approx(0.6)
    expected = 1.5 * np.array([0.4, 0.8]) / 0.8**0.5
    np.testing.assert_allclose(pull.gradient.numpy(), expected, rtol=1e-6)
    assert pull.cosine == pytest.approx(-(0.5**0.5))


@pytest.mark.parametrize("size", [1.0, 2.0, 3.0])
def test_exact_opposition_moves_nothing(size: float) -> None:
    assert pareto_pull(torch.tensor([0.0, 1.0]), torch.tensor([0.0, -size])).gradient.tolist() == [0.0, 0.0]


def test_a_modality_without_gradient_of_its_own_keeps_the_joint_one() -> None:
    pull = pareto_pull(torch.tensor([3.0, 4.0]), torch.zeros(2), gamma=1.0)
    assert pull.gradient.tolist() == [3.0, 4.0]


vectors = st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3).map(
    lambda v: torch.tensor(v, dtype=torch.double)
)


@given(vectors, vectors)
def test_the_result_never_raises_either_loss(joint: torch.Tensor, alone: torch.Tensor) -> None:
    gradient = pareto_pull(joint, alone).gradient
    assert float(gradient @ joint) >= -1e-6 or float(joint @ alone) >= 0
    assert float(gradient @ alone) >= -1e-6 or float(joint @ alone) >= 0


def test_ogm_slows_only_the_modality_that_is_ahead() -> None:
    coefficients = ogm_coefficients({"image": 0.6, "note": 0.2, "vitals": 0.2}, alpha=0.3)
    assert coefficients["image"] == pytest.approx(1 - 0.7162978701990245)  # tanh(0.3 * 3)
    assert coefficients["note"] == coefficients["vitals"] == 1


def test_ogm_leaves_a_single_modality_alone() -> None:
    assert ogm_coefficients({"note": 0.9}, alpha=0.3) == {"note": 1.0}


class _Two(Objective):
    """Two "encoders" w and v; the joint loss wants w towards +, its own head towards - and up."""

    def __init__(self) -> None:
        super().__init__()
        self.w, self.v = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))

    @property
    def cases(self) -> int:
        return 4

    def encoder_parameters(self) -> Mapping[str, list[nn.Parameter]]:
        return {"image": [self.w], "note": [self.v]}

    def forward(self, rows: NDArray[np.int64], epoch: int, rng: torch.Generator) -> Losses:
        alone = {"image": self.w @ torch.tensor([-1.0, 1.0]), "note": self.v @ torch.tensor([1.0, 1.0])}
        total = self.w[0] + self.v[0] + alone["image"] + alone["note"]
        scores = {"image": torch.tensor(0.6), "note": torch.tensor(0.2)}
        return Losses(total, {"total": total.detach()}, alone, scores)


def _losses(objective: _Two) -> Losses:
    losses: Losses = objective(np.arange(4), 0, torch.Generator())
    return losses


def test_mmpareto_replaces_the_gradients_of_the_encoders() -> None:
    objective = _Two()
    told = MMPareto(gamma=1.0)(objective, _losses(objective), Runtime(Session()), watch=False)
    assert objective.w.grad is not None
    assert objective.v.grad is not None
    np.testing.assert_allclose(objective.w.grad.numpy(), np.array([0.4, 0.8]) / 0.8**0.5, rtol=1e-6)
    assert objective.v.grad.tolist() == [2.0, 1.0]
    assert told["gradient/cosine-image"] == pytest.approx(-(0.5**0.5))
    assert told["balance/joint-weight-image"] == pytest.approx(0.6)


def test_ogm_scales_the_gradient_of_the_modality_ahead() -> None:
    objective = _Two()
    Ogm(alpha=0.3)(objective, _losses(objective), Runtime(Session()), watch=False)
    assert objective.w.grad is not None
    assert objective.v.grad is not None
    np.testing.assert_allclose(objective.w.grad.numpy(), (1 - np.tanh(0.9)) * np.array([0.0, 1.0]), rtol=1e-5)
    assert objective.v.grad.tolist() == [2.0, 1.0]


def test_unbalanced_training_still_tells_norms_and_cosines() -> None:
    objective = _Two()
    told = Unbalanced()(objective, _losses(objective), Runtime(Session()), watch=True)
    assert objective.w.grad is not None
    assert objective.w.grad.tolist() == [0.0, 1.0]
    assert told["gradient/joint-image"] == pytest.approx(1.0)
    assert told["gradient/alone-image"] == pytest.approx(2**0.5)


def test_the_loop_writes_what_the_balance_tells(tmp_path: Path) -> None:
    session = Session(metrics=tmp_path, log_every=1)
    optimise(_Two(), Plan("two", 2, 4, 1e-3, 0.0), session, seed=1, balance=MMPareto())
    assert {"gradient/cosine-image", "gradient/alone-note", "gradient/norm"} <= set(read_journal(tmp_path / "two")[0])
