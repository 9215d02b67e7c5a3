"""The joint stage on a network of real fusion members over linear encoders, with cases that lack modalities."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from services.diagnosis.case import CaseInput
from services.diagnosis.model.config import TASKS, FusionConfig, ModelConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions
from services.diagnosis.model.fusion import FusionEnsemble, FusionMember
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.training.adapters import AdapterConfig
from services.diagnosis.training.balance import BalanceName
from services.diagnosis.training.joint_data import JointData, PreparedFeed
from services.diagnosis.training.joint_stage import (
    JointBatch,
    JointObjective,
    JointPlan,
    JointWeights,
    finetune_jointly,
)
from services.diagnosis.training.loop import Session
from services.diagnosis.training.loop.journal import read_journal
from services.diagnosis.training.task_losses import task_losses

CONFIG = ModelConfig(
    dim=8, tokens=2, fusion=FusionConfig(members=2, latents=2, blocks=1, heads=2, hidden=16, dropout=0.0)
)
CASES = 60


class _LinearEncoder(Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, CONFIG.tokens * CONFIG.dim)
        self.rows_seen = 0

    def positions(self, inputs: Inputs) -> Positions:
        self.rows_seen += len(inputs["x"])
        return Positions(inputs["x"][:, None], torch.ones(len(inputs["x"]), 1, dtype=torch.bool))

    def pool(self, positions: Positions) -> Encoded:
        tokens = self.out(positions.features[:, 0]).unflatten(-1, (CONFIG.tokens, CONFIG.dim))
        return Encoded(tokens, tokens.mean(1))


class _Network(nn.Module):
    """What the joint stage uses of a ConsiliumNetwork, without the slow encoders."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.config = CONFIG
        self.encoders = nn.ModuleDict({name: _LinearEncoder() for name in MODALITIES})
        self.fusion = FusionEnsemble(
            CONFIG.fusion, dim=CONFIG.dim, tokens=CONFIG.tokens, modalities=len(MODALITIES), logits=CONFIG.logits
        )

    def encoder(self, name: str) -> _LinearEncoder:
        return cast(_LinearEncoder, self.encoders[name])

    def members(self) -> tuple[FusionMember, ...]:
        return tuple(cast(FusionMember, member) for member in self.fusion.members)


def _network() -> ConsiliumNetwork:
    return cast(ConsiliumNetwork, _Network())


def _data(*, absent: tuple[str, ...] = (), gaps: bool = True) -> JointData:
    """Labels that the first two modalities tell; every case lacks what is `absent`, and with `gaps` some lack more."""
    draw = torch.Generator().manual_seed(1)
    labels = torch.randint(0, TASKS[0].logits, (CASES,), generator=draw)
    available = torch.ones(CASES, len(MODALITIES), dtype=torch.bool)
    if gaps:
        available = torch.rand(CASES, len(MODALITIES), generator=draw) < 0.7
        available[:, 0] |= ~available.any(1)
    for name in absent:
        available[:, MODALITIES.index(name)] = False
    available[:, 0] |= ~available.any(1)
    shifts = torch.randn(TASKS[0].logits, 4, generator=draw) * 2
    feeds = {}
    for index, name in enumerate(MODALITIES):
        x = shifts[labels] * (index < 2) + torch.randn(CASES, 4, generator=draw)
        rows = [{"x": x[row : row + 1]} if available[row, index] else None for row in range(CASES)]
        feeds[name] = PreparedFeed(tuple(rows))
    worse = torch.randint(0, 2, (CASES,), generator=draw)
    level = torch.randint(-1, 3, (CASES,), generator=draw)  # of some nobody knows it
    return JointData(feeds, available, {"diagnosis": labels, "deterioration24h": worse, "severity": level})


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("balance", ["mmpareto", "ogm", "none"])
def test_the_loss_falls_and_gradients_are_told(tmp_path: Path, balance: BalanceName) -> None:
    plan = JointPlan(epochs=25, batch_size=30, learning_rate=1e-2, balance=balance)
    history = finetune_jointly(_network(), _data(), plan, Session(metrics=tmp_path), seed=2)
    assert history[-1] < 0.7 * history[0]
    told = read_journal(tmp_path / "joint")[-1]
    for name in MODALITIES:
        assert -1 <= told[f"gradient/cosine-{name}"] <= 1
        assert told[f"gradient/joint-{name}"] > 0
        assert told[f"gradient/alone-{name}"] > 0


def test_the_same_seed_gives_the_same_network() -> None:
    def train() -> dict[str, Tensor]:
        network = _network()
        finetune_jointly(network, _data(), JointPlan(epochs=2, batch_size=30), seed=2)
        return network.state_dict()

    first, second = train(), train()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_an_absent_modality_is_neither_run_nor_changed() -> None:
    name = MODALITIES[1]
    network = _network()
    encoder = cast(_LinearEncoder, network.encoder(name))
    before = encoder.out.weight.clone()
    finetune_jointly(network, _data(absent=(name,)), JointPlan(epochs=2, batch_size=30), seed=2)
    assert encoder.rows_seen == 0
    assert torch.equal(encoder.out.weight, before)


def test_an_encoder_sees_exactly_the_cases_that_have_its_modality() -> None:
    network, data = _network(), _data()
    finetune_jointly(network, data, JointPlan(epochs=1, batch_size=CASES), seed=2)
    for index, name in enumerate(MODALITIES):
        assert cast(_LinearEncoder, network.encoder(name)).rows_seen == int(data.available[:, index].sum())


def test_the_terms_of_the_loss_are_those_of_its_definition() -> None:
    network, data = _network(), _data(gaps=False)
    objective = JointObjective(network, data, JointWeights(subsets=0), seed=1)
    objective.counts = torch.ones_like(objective.counts)
    rows = np.arange(CASES)
    losses = objective(rows, 0, torch.Generator().manual_seed(1))
    encoded = [network.encoder(name)(data.feeds[name](rows)) for name in MODALITIES]
    tokens = torch.stack([one.tokens for one in encoded], dim=1)
    pooled = torch.stack([one.pooled for one in encoded], dim=1)
    expected = []
    for member in network.members():
        fused = member(tokens, pooled, data.available)
        alone = [
            task_losses(TASKS, member.bias + fused.unimodal[:, m], data.targets).mean() for m in range(len(MODALITIES))
        ]
        expected.append(task_losses(TASKS, fused.logits, data.targets).mean() + 0.3 * torch.stack(alone).sum())
    torch.testing.assert_close(losses.total, torch.stack(expected).mean())


def test_the_hinge_asks_that_more_evidence_is_no_worse() -> None:
    objective = JointObjective(_network(), _data(), JointWeights(hinge=1.0), seed=1)
    losses = objective(np.arange(CASES), 0, torch.Generator().manual_seed(1))
    assert losses.watched["hinge"] >= 0
    assert losses.watched["consistency"] >= 0
    assert losses.total.item() == pytest.approx(sum(value.item() for value in losses.watched.values()), rel=1e-5)


class _Pull(nn.Module):
    """A contrastive term with a projection of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(CONFIG.dim, 2)

    def forward(self, batch: JointBatch) -> Tensor:
        first, second = self.project(batch.pooled[:, 0]), self.project(batch.pooled[:, 1])
        together = batch.available[:, 0] & batch.available[:, 1]
        answer: Tensor = (first - second)[together].square().mean()
        return answer


def test_a_contrastive_term_trains_its_own_projection_too() -> None:
    contrast = _Pull()
    before = contrast.project.weight.clone()
    finetune_jointly(_network(), _data(), JointPlan(epochs=1, batch_size=30), seed=2, contrast=contrast)
    assert not torch.equal(contrast.project.weight, before)


def test_an_adapted_encoder_learns_a_change_of_low_rank_and_is_ordinary_again() -> None:
    network, name = _network(), MODALITIES[0]
    encoder = cast(_LinearEncoder, network.encoder(name))
    before, keys = encoder.out.weight.clone(), set(network.state_dict())
    adapters = {name: AdapterConfig(rank=1, targets=("out",))}
    finetune_jointly(network, _data(), JointPlan(epochs=2, batch_size=20, adapters=adapters), seed=2)
    assert set(network.state_dict()) == keys
    assert int(torch.linalg.matrix_rank(encoder.out.weight.detach() - before, atol=1e-5)) == 1


def test_a_killed_joint_stage_ends_with_the_same_bytes(tmp_path: Path) -> None:
    plan, session = JointPlan(epochs=3, batch_size=20), Session(work=tmp_path, checkpoint_every_s=0)
    whole, resumed = _network(), _network()
    finetune_jointly(whole, _data(), plan, seed=2)
    steps: list[None] = []

    def interrupt() -> None:
        steps.append(None)
        if len(steps) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune_jointly(_network(), _data(), plan, session, seed=2, on_step=interrupt)
    finetune_jointly(resumed, _data(), plan, session, seed=2)
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in resumed.state_dict().items())


def test_cases_of_any_dataset_become_batches_padded_with_what_masks_hide() -> None:
    def prepare(case: CaseInput) -> dict[str, Inputs]:
        length = int(case.age_years or 0)
        readings = {"readings": torch.ones(1, length, 2), "mask": torch.ones(1, length, dtype=torch.bool)}
        return {MODALITIES[0]: {"x": torch.ones(1, 4)}, **({MODALITIES[2]: readings} if length else {})}

    cases = [CaseInput(datetime(2026, 1, 1, tzinfo=UTC), age_years=age) for age in (2.0, 0.0, 3.0)]
    data = JointData.of_cases(cases, {"diagnosis": torch.tensor([0, 1, 2])}, prepare)
    assert data.available[:, 2].tolist() == [True, False, True]
    batch = data.batch(MODALITIES[2], np.array([0, 2]), torch.Generator())
    assert batch["readings"].shape == (2, 3, 2)
    assert batch["mask"].tolist() == [[True, True, False], [True, True, True]]
    with pytest.raises(ValueError, match="without this modality"):
        data.feeds[MODALITIES[2]](np.array([1]))


def test_a_case_without_anything_is_refused() -> None:
    data = _data()
    with pytest.raises(ValueError, match="at least one modality"):
        replace(data, available=torch.zeros_like(data.available))
