"""Adapters learn, the pretrained weights do not, and what is folded in is an ordinary module again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from services.diagnosis.training.adapters import Adapted, AdapterConfig


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.value, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.out(self.query(x).tanh() * self.value(x))
        return answer


def _adapted() -> tuple[_Attention, Adapted, torch.Tensor]:
    torch.manual_seed(1)
    module = _Attention()
    return module, Adapted(module, AdapterConfig(rank=2)), torch.randn(5, 6)


def test_adapters_change_nothing_at_first() -> None:
    torch.manual_seed(1)
    plain = _Attention()
    module, _, x = _adapted()
    torch.testing.assert_close(module(x), plain(x))


def test_only_the_adapters_learn() -> None:
    module, adapted, x = _adapted()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    trainable = adapted.trainable()
    assert sum(parameter.numel() for parameter in trainable) == 2 * 2 * (2 * 6)  # two layers, two 6 x 2 matrices each
    optimizer = torch.optim.AdamW(trainable, lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        module(x).square().sum().backward()
        optimizer.step()
    changed = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all("lora_" in name for name in changed)


def test_folded_adapters_leave_an_ordinary_module_of_the_same_answers() -> None:
    module, adapted, x = _adapted()
    with torch.no_grad():
        for parameter in adapted.trainable():
            parameter.normal_()
    expected = module(x)
    adapted.fold()
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-5)
    again = _Attention()
    again.load_state_dict(module.state_dict())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_layers_that_are_not_there_are_an_error() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        Adapted(_Attention(), AdapterConfig(rank=2, targets=("nowhere",)))
