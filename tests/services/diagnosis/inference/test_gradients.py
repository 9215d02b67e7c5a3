from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.diagnosis.inference.attribution.gradients import integrated_gradients, rescale_to


def test_a_linear_target_gives_weight_times_change() -> None:
    weights = torch.tensor([2.0, -1.0, 0.5])
    parts = integrated_gradients(lambda x: x @ weights, torch.tensor([1.0, 1.0, 4.0]), torch.zeros(3))
    np.testing.assert_allclose(parts, [2.0, -1.0, 2.0], rtol=1e-6)


def test_attributions_sum_to_the_change_of_the_target() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).requires_grad_(False)
    value, baseline = torch.randn(5), torch.zeros(5)
    parts = integrated_gradients(lambda x: network(x)[:, 0], value, baseline, steps=32)
    assert parts.sum() == pytest.approx(float((network(value) - network(baseline))[0]), rel=0.01)


def test_captum_finds_the_same_attributions() -> None:
    from captum.attr import IntegratedGradients

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).requires_grad_(False)
    value, baseline = torch.randn(5), torch.randn(5)
    ours = integrated_gradients(lambda x: network(x)[:, 0], value, baseline, steps=64)
    reference = IntegratedGradients(lambda x: network(x)[:, 0]).attribute(
        value[None], baseline[None], n_steps=64, method="riemann_middle"
    )
    np.testing.assert_allclose(ours, reference[0].numpy(), atol=1e-4)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.floats(-5, 5))
def test_rescaled_parts_sum_to_the_whole(parts: list[float], whole: float) -> None:
    assert rescale_to(np.array(parts), whole).sum() == pytest.approx(whole, abs=1e-9)


def test_parts_that_cancel_do_not_explode() -> None:
    scaled = rescale_to(np.array([1.0, -0.999]), 0.5)
    assert np.abs(scaled).max() < 2
