from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from services.diagnosis.evaluation.baselines.baseline import Shape
from services.diagnosis.evaluation.baselines.features import masks
from services.diagnosis.evaluation.baselines.gate import GateFusion, divergence
from services.diagnosis.evaluation.baselines.hybrid import HybridFusion
from services.diagnosis.evaluation.baselines.learned import Budget, fold_of
from services.diagnosis.evaluation.baselines.lstm import LstmFusion
from services.diagnosis.evaluation.baselines.network import GRID, Batch, Network, Standardise, thin
from services.diagnosis.evaluation.baselines.perceptrons import Alone, EarlyConcatenation, ZeroImputation
from services.diagnosis.model.config import ModelConfig

SHAPE = Shape(3, 64, 8, 8)
SETTING = GRID[1]


def batch(n: int = 7) -> Batch:
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(n, 3, 8, 64, generator=rng)
    return Batch(torch.randn(n, 3, 64, generator=rng), tokens, torch.tensor(masks(3)[:n]))


@pytest.mark.parametrize("kind", [EarlyConcatenation, ZeroImputation, LstmFusion, GateFusion])
def test_a_network_of_the_demo_sizes_has_less_than_100_000_parameters(kind: type[Network]) -> None:
    config = ModelConfig()
    shape = Shape(3, config.dim, config.tokens, 8)
    sizes = [sum(p.numel() for p in kind(shape, setting).parameters()) for setting in GRID]
    assert max(sizes) < 100_000


@pytest.mark.parametrize("kind", [EarlyConcatenation, LstmFusion, GateFusion, HybridFusion, ZeroImputation])
def test_what_is_absent_has_no_say(kind: type[Network]) -> None:
    torch.manual_seed(0)
    network = kind(SHAPE, SETTING).eval()
    plain, other = batch(), batch()
    gone = ~other.available
    other.pooled[gone] = 100.0
    assert other.tokens is not None
    other.tokens[gone] = 100.0
    torch.testing.assert_close(network(plain), network(other))


def test_the_lstm_reads_the_present_modalities_as_if_no_other_existed() -> None:
    torch.manual_seed(0)
    network = LstmFusion(SHAPE, SETTING).eval()
    whole = batch(1).under(torch.tensor([[False, True, False]]))
    assert whole.tokens is not None
    steps = torch.cat([network.norm(whole.tokens[:, 1]), whole.pooled[:, 1:2]], dim=1)
    _, (state, _) = network.lstm(network.project[1](steps))
    torch.testing.assert_close(network(whole), network.head(state[0]))


def test_standardising_is_that_of_scikit_learn_on_the_cases_that_hold_the_modality() -> None:
    rng = np.random.default_rng(0)
    pooled, available = rng.normal(3, 2, size=(50, 2, 4)).astype(np.float32), rng.random((50, 2)) < 0.6
    layer = Standardise(2, 4)
    layer.fit(torch.from_numpy(pooled), torch.from_numpy(available))
    for m in range(2):
        expected = StandardScaler().fit(pooled[available[:, m], m]).transform(pooled[:, m])
        np.testing.assert_allclose(layer(torch.from_numpy(pooled))[:, m], expected, rtol=1e-4, atol=1e-4)


def test_an_unknown_entry_gets_the_mean() -> None:
    pooled = torch.tensor([[[1.0]], [[3.0]], [[torch.nan]]])
    layer = Standardise(1, 1)
    layer.fit(pooled, torch.ones(3, 1, dtype=torch.bool))
    assert layer(pooled).flatten().tolist() == [-1.0, 1.0, 0.0]


def test_half_of_the_cases_keep_all_and_none_loses_all() -> None:
    available = torch.tensor(masks(3)).repeat(3000, 1)
    kept = thin(available, torch.Generator().manual_seed(0))
    assert kept.any(1).all()
    assert not (kept & ~available).any()
    whole = kept[available.all(1)].all(1).float().mean()
    # 1/2 by the coin, and of the rest 1/8 all three and 1/8 none, which then keeps all.
    assert whole.item() == pytest.approx(0.5 + 0.5 * 2 / 8, abs=0.03)


def test_agreeing_modalities_do_not_diverge_and_opposite_ones_do_by_ln_2() -> None:
    there = torch.ones(1, 2, dtype=torch.bool)
    same, opposite = torch.full((1, 2, 5), 0.3), torch.tensor([[[-40.0], [40.0]]])
    assert divergence(same, there).item() == pytest.approx(0, abs=1e-6)
    assert divergence(opposite, there).item() == pytest.approx(np.log(2), abs=1e-3)


def test_a_modality_alone_ignores_the_others() -> None:
    network, one = Alone(SHAPE, SETTING, 1).eval(), batch()
    other = Batch(one.pooled.clone(), one.tokens, one.available)
    other.pooled[:, [0, 2]] = 9.0
    torch.testing.assert_close(network(one), network(other))


def test_all_rows_of_a_patient_are_in_one_fold() -> None:
    groups = np.random.default_rng(0).integers(0, 40, 300)
    folds = fold_of(groups, 5, seed=1)
    assert all(len(set(folds[groups == g])) == 1 for g in range(40))
    sizes = np.bincount([folds[groups == g][0] for g in range(40)])
    assert sizes.tolist() == [8] * 5


def test_cross_fitting_needs_two_members() -> None:
    with pytest.raises(ValueError, match="at least two members"):
        Budget(members=1)
