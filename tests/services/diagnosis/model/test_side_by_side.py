from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
import torch

from services.diagnosis.model.config import FusionConfig
from services.diagnosis.model.fusion import FusionEnsemble, FusionMember
from services.diagnosis.model.side_by_side import SideBySide

CASES, MODALITIES, TOKENS, DIM = 6, 4, 3, 16


@pytest.fixture
def ensemble() -> FusionEnsemble:
    torch.manual_seed(0)
    config = FusionConfig(members=3, hidden=24, rank=4)
    ensemble = FusionEnsemble(config, dim=DIM, tokens=TOKENS, modalities=MODALITIES, logits=5)
    for parameter in ensemble.parameters():  # the gate and the trunk begin silent
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return ensemble.eval().requires_grad_(False)


def cases(seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    available = torch.rand(CASES, MODALITIES, generator=rng) < 0.6
    available[:, 0] = True
    tokens = torch.randn(CASES, MODALITIES, TOKENS, DIM, generator=rng)
    return tokens, torch.randn(CASES, MODALITIES, DIM, generator=rng), available


def together(ensemble: FusionEnsemble) -> SideBySide:
    return SideBySide([cast(FusionMember, member) for member in ensemble.members])


def test_members_side_by_side_answer_what_each_answers_alone(ensemble: FusionEnsemble) -> None:
    alone, answered = ensemble(*cases()), together(ensemble)(*cases())
    assert answered.shape == (3, CASES, 5)
    torch.testing.assert_close(answered, alone, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1])


def test_gradients_go_through(ensemble: FusionEnsemble) -> None:
    tokens, pooled, available = cases()
    gradients: list[torch.Tensor] = []
    for ask in (ensemble, together(ensemble)):
        own = tokens.clone().requires_grad_(True)
        gradients += torch.autograd.grad(ask(own, pooled, available)[:, :, 0].sum(), own)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-5)
    assert gradients[0].abs().max() > 0


def test_threads_do_not_disturb_each_other(ensemble: FusionEnsemble) -> None:
    side_by_side = together(ensemble)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda seed: side_by_side(*cases(seed)), range(24)))
    for seed, answer in enumerate(answers):
        torch.testing.assert_close(answer, ensemble(*cases(seed)), rtol=1e-5, atol=1e-5)


def test_a_case_without_any_modality_is_refused(ensemble: FusionEnsemble) -> None:
    tokens, pooled, available = cases()
    available[2] = False
    with pytest.raises(ValueError, match="at least one modality"):
        together(ensemble)(tokens, pooled, available)
