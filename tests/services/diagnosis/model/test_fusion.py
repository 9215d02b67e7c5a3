from __future__ import annotations

import pytest
import torch

from services.diagnosis.model.config import FusionConfig
from services.diagnosis.model.fusion import FusionMember
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of

DIM, TOKENS, LOGITS, COUNT, CASES = 16, 4, 9, len(MODALITIES), len(PATTERNS)


@pytest.fixture
def member() -> FusionMember:
    return build()


def build(mode: str = "hybrid") -> FusionMember:
    """A member whose every weight is drawn: fresh ones start with an even gate and a silent joint term."""
    torch.manual_seed(0)
    config = FusionConfig(mode=mode, hidden=24, rank=5)
    member = FusionMember(config, dim=DIM, tokens=TOKENS, modalities=COUNT, logits=LOGITS)
    for parameter in member.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return member.eval().requires_grad_(False)


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.randn(CASES, COUNT, TOKENS, DIM, generator=rng), torch.randn(CASES, COUNT, DIM, generator=rng)


def _masks() -> torch.Tensor:
    return torch.tensor([mask_of(pattern) for pattern in PATTERNS])


def test_with_one_modality_the_model_is_its_head(member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]) -> None:
    tokens, pooled = case
    for index in range(COUNT):
        alone = torch.zeros(CASES, COUNT, dtype=torch.bool)
        alone[:, index] = True
        assert member.priors is not None
        head = member.bias + member.heads[index](pooled[:, index]) + member.priors(pooled)[:, index]
        torch.testing.assert_close(member(tokens, pooled, alone).logits, head)


def test_the_logits_are_the_sum_of_their_parts(member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]) -> None:
    fused = member(*case, _masks())
    torch.testing.assert_close(fused.logits, member.bias + (fused.gate * fused.unimodal).sum(1) + fused.joint)


def test_the_gate_sums_to_the_number_of_modalities_at_hand(
    member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]
) -> None:
    gate = member(*case, _masks()).gate
    torch.testing.assert_close(gate.sum(1), _masks().sum(1, keepdim=True).expand(-1, LOGITS).float())
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
    alone = torch.cat([member(tokens[i : i + 1], pooled[i : i + 1], _masks()[i : i + 1]).logits for i in range(CASES)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_a_case_without_any_modality_is_refused(member: FusionMember, case: tuple[torch.Tensor, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="at least one modality"):
        member(*case, torch.zeros(CASES, COUNT, dtype=torch.bool))


def test_a_fresh_member_is_the_sum_of_its_heads(case: tuple[torch.Tensor, torch.Tensor]) -> None:
    config = FusionConfig(hidden=24, rank=5)
    fresh = FusionMember(config, dim=DIM, tokens=TOKENS, modalities=COUNT, logits=LOGITS).eval()
    fused = fresh(*case, _masks())
    heard = torch.where(_masks()[..., None], fused.unimodal, 0.0)
    torch.testing.assert_close(fused.logits, fresh.bias + heard.sum(1))


def test_late_fusion_has_no_joint_term(case: tuple[torch.Tensor, torch.Tensor]) -> None:
    fused = build("late")(*case, _masks())
    assert not fused.joint.any()
    heard = torch.where(_masks()[..., None], fused.unimodal, 0.0)
    torch.testing.assert_close(fused.logits, build("late").bias + heard.sum(1))


def test_early_fusion_is_the_joint_term_alone_even_of_one_modality(case: tuple[torch.Tensor, torch.Tensor]) -> None:
    fused = build("early")(*case, _masks())
    torch.testing.assert_close(fused.logits, build("early").bias + fused.joint)
    assert bool(fused.joint.abs().sum(1).all())


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="early, late, hybrid"):
        build("middle")


def test_products_of_two_modalities_carry_what_is_true_of_neither_alone() -> None:
    """XOR of one sign in each of two modalities: learnable with the trunk, not with the heads."""
    rng = torch.Generator().manual_seed(3)
    signs = torch.randint(0, 2, (512, 2), generator=rng)
    tokens = torch.zeros(512, COUNT, TOKENS, DIM)
    tokens[:, :2, :, 0] = (2.0 * signs - 1)[:, :, None] * 3
    tokens[:, :2, :, 1] = 1.0
    pooled, target = tokens.mean(2), (signs[:, 0] ^ signs[:, 1])
    available = torch.tensor([True, True] + [False] * (COUNT - 2)).expand(512, -1)
    accuracy = {}
    for mode in ("late", "hybrid"):
        torch.manual_seed(0)
        config = FusionConfig(mode=mode, hidden=16, rank=8, dropout=0.0)
        member = FusionMember(config, dim=DIM, tokens=TOKENS, modalities=COUNT, logits=2)
        optimizer = torch.optim.AdamW(member.parameters(), lr=0.01)
        for _ in range(60):
            loss = torch.nn.functional.cross_entropy(member(tokens, pooled, available).logits, target)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        accuracy[mode] = float((member(tokens, pooled, available).logits.argmax(1) == target).float().mean())
    assert accuracy["hybrid"] > 0.99
    assert accuracy["late"] < 0.8


def test_untrained_opinions_are_not_trained() -> None:
    member = build()
    assert member.priors is not None
    assert not list(member.priors.parameters())
    assert {"priors.first", "priors.standard.mean"} <= set(member.state_dict())


@pytest.mark.slow
def test_members_disagree_far_from_all_cases() -> None:
    """Two heads taught the same answers to the same cases: their opinions differ where nobody taught them."""
    torch.set_num_threads(1)  # threads that wait for each other's work take longer than the work
    torch.manual_seed(2)
    pooled, alone = torch.randn(256, 2, DIM), torch.tensor([True, False]).expand(256, 2)
    tokens, wanted = torch.zeros(256, 2, TOKENS, DIM), torch.randn(DIM, 3)
    apart = {}
    for scale in (0.0, 1.0):
        answers = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            config = FusionConfig(hidden=24, rank=5, prior_scale=scale)
            member = FusionMember(config, dim=DIM, tokens=TOKENS, modalities=2, logits=3)
            member.settle(pooled, alone)
            optimizer = torch.optim.Adam(member.parameters(), 0.02)
            for _ in range(150):
                loss = (member(tokens, pooled, alone).logits - pooled[:, 0] @ wanted).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            answers.append([member(tokens, far * pooled, alone).logits.detach() for far in (1.0, 6.0)])
        apart[scale] = [float((a - b).abs().mean()) for a, b in zip(*answers, strict=True)]
    near, far = apart[1.0]
    assert far > 4 * near
    assert far > 1.5 * apart[0.0][1]


def test_who_holds_nothing_does_not_count_in_the_scale() -> None:
    member = build()
    assert member.priors is not None
    pooled, available = torch.zeros(40, COUNT, DIM), torch.zeros(40, COUNT, dtype=torch.bool)
    pooled[:10, 1] = 3 + torch.randn(10, DIM, generator=torch.Generator().manual_seed(1))
    available[:10, 1] = True
    member.settle(pooled, available)
    assert float(member.priors.standard.mean[1].mean()) == pytest.approx(3, abs=0.5)
    assert bool((member.priors.standard.mean[0] == 0).all())
