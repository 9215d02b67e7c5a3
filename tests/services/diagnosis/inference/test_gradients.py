from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.diagnosis.inference.attribution.gradients import NODES, STRETCHES, integrated_gradients, rescale_to


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).requires_grad_(False)


def test_a_linear_target_gives_weight_times_change() -> None:
    weights = torch.tensor([2.0, -1.0, 0.5])
    found = integrated_gradients(lambda x: x @ weights, torch.tensor([1.0, 1.0, 4.0]), torch.zeros(3))
    np.testing.assert_allclose(found.parts, [2.0, -1.0, 2.0], rtol=1e-6)
    assert found.change == pytest.approx(3.0)


def test_a_polynomial_of_degree_ten_needs_one_round() -> None:
    # d/dx x^10 has degree 9, which five Gauss-Legendre nodes integrate exactly; a midpoint rule would not.
    found = integrated_gradients(lambda x: x[:, 0] ** 10, torch.tensor([1.5]), torch.zeros(1))
    assert found.nodes == STRETCHES * NODES
    assert found.parts[0] == pytest.approx(1.5**10, rel=1e-5)


def test_a_step_is_found_by_halving_the_stretch_that_holds_it() -> None:
    # The sigmoid rises within a hundredth of the path: uniform rules of as many nodes would step over it.
    found = integrated_gradients(lambda x: torch.sigmoid(600 * (x[:, 0] - 0.3)), torch.ones(1), torch.zeros(1))
    assert STRETCHES * NODES < found.nodes < 80
    assert found.parts[0] == pytest.approx(1.0, abs=0.01)
    assert found.completeness_error < 0.01


def test_at_the_cap_the_error_is_told() -> None:
    step = integrated_gradients(
        lambda x: torch.sigmoid(5e4 * (x[:, 0] - 0.3)), torch.ones(1), torch.zeros(1), most_nodes=STRETCHES * NODES
    )
    assert step.nodes == STRETCHES * NODES
    assert step.change == pytest.approx(1.0)
    assert step.completeness_error == pytest.approx(abs(step.parts.sum() - 1.0))
    assert step.completeness_error > 0.1


def test_attributions_sum_to_the_change_of_the_target() -> None:
    model = network()
    value, baseline = torch.randn(5), torch.zeros(5)
    found = integrated_gradients(lambda x: model(x)[:, 0], value, baseline)
    change = float((model(value) - model(baseline))[0])
    assert found.change == pytest.approx(change, abs=1e-6)
    assert found.parts.sum() == pytest.approx(change, abs=0.01)


def test_captum_finds_the_same_attributions() -> None:
    from captum.attr import IntegratedGradients

    model = network()
    value, baseline = torch.randn(5), torch.randn(5)
    ours = integrated_gradients(lambda x: model(x)[:, 0], value, baseline)
    reference = IntegratedGradients(lambda x: model(x)[:, 0]).attribute(
        value[None], baseline[None], n_steps=100, method="gausslegendre"
    )
    np.testing.assert_allclose(ours.parts, reference[0].numpy(), atol=2e-3)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.floats(-5, 5))
def test_rescaled_parts_sum_to_the_whole(parts: list[float], whole: float) -> None:
    assert rescale_to(np.array(parts), whole).sum() == pytest.approx(whole, abs=1e-9)


def test_parts_that_cancel_do_not_explode() -> None:
    scaled = rescale_to(np.array([1.0, -0.999]), 0.5)
    assert np.abs(scaled).max() < 2
