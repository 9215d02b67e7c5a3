from __future__ import annotations

import pytest
import torch

from services.diagnosis.model.config import FusionConfig
from services.diagnosis.model.fusion import FusionMember
from services.diagnosis.model.modalities import PATTERNS, mask_of

DIM, TOKENS, LOGITS = 16, 4, 9


@pytest.fixture
def member() -> FusionMember:
    torch.manual_seed(0)
    member = FusionMember(FusionConfig(hidden=24), dim=DIM, modalities=3, logits=LOGITS)
    return member.eval()


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.randn(7, 3, TOKENS, DIM, generator=rng), torch.randn(7, 3, DIM, generator=rng)


def _masks() -> torch.Tensor:
    return torch.tensor([mask_of(pattern) for pattern in PATTERNS])


def test_with_one_modality_the_model_is_its_head(member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]) -> None:
    tokens, pooled = case
    for index in range(3):
        alone = torch.zeros(7, 3, dtype=torch.bool)
        alone[:, index] = True
        head = member.bias + member.heads[index](pooled[:, index])
        torch.testing.assert_close(member(tokens, pooled, alone).logits, head)


def test_the_logits_are_the_sum_of_their_parts(member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]) -> None:
    fused = member(*case, _masks())
    torch.testing.assert_close(fused.logits, member.bias + (fused.gate * fused.unimodal).sum(1) + fused.joint)


def test_the_gate_is_a_share_of_the_modalities_at_hand(
    member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]
) -> None:
    gate = member(*case, _masks()).gate
    torch.testing.assert_close(gate.sum(1), torch.ones(7, LOGITS))
    assert bool((gate[~_masks()] == 0).all())


def test_what_an_absent_modality_would_say_changes_nothing(
    member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]
) -> None:
    tokens, pooled = case
    other_tokens, other_pooled = tokens.clone(), pooled.clone()
    other_tokens[~_masks()], other_pooled[~_masks()] = 99.0, -99.0
    assert torch.equal(member(tokens, pooled, _masks()).logits, member(other_tokens, other_pooled, _masks()).logits)


def test_a_case_reads_the_same_alone_as_in_a_mixed_batch(
    member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]
) -> None:
    tokens, pooled = case
    together = member(tokens, pooled, _masks()).logits
    alone = torch.cat([member(tokens[i : i + 1], pooled[i : i + 1], _masks()[i : i + 1]).logits for i in range(7)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_a_case_without_any_modality_is_refused(member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="at least one modality"):
        member(*case, torch.zeros(7, 3, dtype=torch.bool))
