from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from services.diagnosis.model.config import VitalsConfig
from services.diagnosis.model.vitals_running import (
    LEAST_SPREAD,
    STEADY_H2,
    SUMMARIES,
    QuantileBins,
    RunningReader,
    RunningSums,
    gather_running,
)

COUNT, MEAN = SUMMARIES.index("count"), SUMMARIES.index("mean")


def gather(times_h: list[float], values: list[float]) -> RunningSums:
    """Of one case and one sign."""
    t, v = (torch.tensor([x], dtype=torch.float64) for x in (times_h, values))
    return gather_running(v, t, torch.zeros(t.shape, dtype=torch.long), torch.ones(t.shape, dtype=torch.bool), 1)


def summaries(sums: RunningSums) -> dict[str, float]:
    return dict(zip(SUMMARIES, sums.table()[0, 0].tolist(), strict=True))


def test_the_table_holds_what_numpy_says() -> None:
    t, v = [-30.0, -20.0, -20.0, -4.0, -3.0], [1.0, 3.0, -2.0, 0.5, 0.25]
    found = summaries(gather(t, v))
    times, values = np.array(t), np.array(v)
    weights = {hours: 2.0 ** (times / hours) for hours in (8.0, 24.0)}
    off, off_h = values - values.mean(), times - times.mean()
    expected = {
        "count": math.log(6), "first": 1.0, "last": 0.25, "min": -2.0, "max": 3.0, "mean": values.mean(),
        "deviation": math.sqrt(values.var() + LEAST_SPREAD**2),
        "slope": 24 * (off * off_h).sum() / ((off_h**2).sum() + STEADY_H2), "silence": math.log(4),
        "recent8h": np.average(values, weights=weights[8.0]), "recent24h": np.average(values, weights=weights[24.0]),
    }  # fmt: skip
    assert_allclose([found[name] for name in SUMMARIES], [expected[name] for name in SUMMARIES], atol=1e-12)


def test_of_several_samples_of_the_last_moment_the_mean_counts() -> None:
    assert summaries(gather([-9.0, -1.0, -1.0], [7.0, 2.0, 4.0]))["last"] == 3.0


def test_merging_parts_of_different_ages_is_gathering_all() -> None:
    rng = np.random.default_rng(0)
    times, values = np.sort(rng.uniform(-90, 0, 40)), rng.normal(50, 1, 40)
    # Each part was gathered at another time: its own hours are relative to that.
    parts = [(0, 7, -60.0), (7, 25, -20.0), (25, 40, 0.0)]
    gathered = [gather((times[a:b] - at).tolist(), values[a:b].tolist()).aged(-at) for a, b, at in parts]
    stacked = RunningSums(*(torch.stack(x) for x in zip(*(vars(part).values() for part in gathered), strict=True)))
    whole = gather(times.tolist(), values.tolist())
    torch.testing.assert_close(stacked.merged(0).table(), whole.table(), atol=1e-12, rtol=1e-12)


def test_a_sign_without_readings_leaves_others_alone() -> None:
    v, t = torch.tensor([[2.0, 9.0]]), torch.tensor([[-1.0, -2.0]])
    sums = gather_running(v, t, torch.tensor([[2, 0]]), torch.tensor([[True, False]]), 3)
    assert sums.count.tolist() == [[0, 0, 1]]
    assert not sums.table()[0, :2].any()
    assert sums.table()[0, 2, MEAN] == 2.0


def settled_bins(values: list[float]) -> tuple[QuantileBins, Tensor]:
    """Four bins of the mean of one sign over cases with these values."""
    bins, table = QuantileBins(1, 4), torch.zeros(len(values), 1, len(SUMMARIES))
    table[:, 0, MEAN] = torch.tensor(values)
    bins.fit(table, torch.ones(len(values), 1, dtype=torch.bool))
    return bins, table


def test_a_number_fills_the_bins_below_it() -> None:
    bins, table = settled_bins([0.0, 1.0, 2.0, 3.0, 4.0])
    table[0, 0, MEAN] = 2.25
    reached = bins(table, torch.ones(5, 1, dtype=torch.bool))
    assert reached[0, 0, MEAN].tolist() == [1.0, 1.0, 0.25, 0.0]


def test_what_is_not_there_reaches_no_bin() -> None:
    bins, table = settled_bins([0.0, 1.0, 2.0, 3.0, 4.0])
    assert not bins(table, torch.zeros(5, 1, dtype=torch.bool)).any()


@pytest.mark.parametrize("values", [[3.0, 3.0, 3.0], [1.0, 1.0, 1.0, 1.0, 5.0]])
def test_ties_give_fewer_bins_and_no_division_by_nothing(values: list[float]) -> None:
    bins, table = settled_bins(values)
    reached = bins(table, torch.ones(len(values), 1, dtype=torch.bool))
    assert torch.isfinite(reached).all()
    assert float(reached[-1, 0, MEAN].sum()) == len(set(values)) - 1


def test_gradients_reach_the_values_and_stay_finite() -> None:
    torch.manual_seed(0)
    reader = RunningReader(6, VitalsConfig(variables=2, running_bins=3, running_width=8)).eval()
    times, variables = -torch.rand(30, 9) * 40, torch.zeros(30, 9, dtype=torch.long)
    values = torch.randn(30, 9)
    values[0] = 1.0  # no spread at all
    mask = torch.ones(30, 9, dtype=torch.bool)
    reader.settle(gather_running(values, times, variables, mask, 2))
    values.requires_grad_()
    reader(gather_running(values, times, variables, mask, 2)).square().sum().backward()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
    assert values.grad.abs().max() > 0
