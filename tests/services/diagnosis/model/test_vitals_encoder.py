from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from services.diagnosis.model.config import ModelConfig, VitalsConfig
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.vitals_encoder import NEVER, PartialSums, build, gather_all, gather_by_sign

SMALL = VitalsConfig(width=12, values=8, queries=3)


def inputs(readings: int = 40, variables: int = 8) -> Inputs:
    rng = torch.Generator().manual_seed(4)
    return {
        "readings": torch.randn(2, readings, 4, generator=rng),
        "times_h": -72 * torch.rand(2, readings, generator=rng),
        "clock_h": 24 * torch.rand(2, readings, generator=rng),
        "variables": torch.randint(0, variables, (2, readings), generator=rng),
        "mask": torch.ones(2, readings, dtype=torch.bool),
    }


def sums(peak: float, value: float) -> PartialSums:
    """One reading of weight e^peak."""
    return PartialSums(torch.tensor([[peak]]), torch.ones(1, 1), torch.full((1, 1, 1), value))


def test_a_reading_one_half_life_old_weighs_half() -> None:
    # value 3, weight e^0 * 2^-1, beside a null key of weight e^0: 3 * 0.5 / 1.5 = 1
    aged = sums(0.0, 3.0).aged(5.0, torch.tensor([[math.log(2) / 5]]))
    torch.testing.assert_close(aged.mean(torch.zeros(1, 1)), torch.ones(1, 1, 1))
    torch.testing.assert_close(aged.evidence(torch.zeros(1, 1)), torch.full((1, 1), math.log(1.5)))


def test_merged_parts_are_one_softmax() -> None:
    rng = torch.Generator().manual_seed(0)
    scores, values = torch.randn(1, 9, 2, 3, generator=rng) * 30, torch.randn(1, 9, 3, 4, generator=rng)
    halves = [gather_all(scores[:, part], values[:, part]) for part in (slice(0, 4), slice(4, 9))]
    stacked = PartialSums(*(torch.stack([getattr(h, f) for h in halves]) for f in ("peak", "total", "weighted")))
    merged = stacked.merged(0)
    expected = torch.einsum("bnsh,bnhd->bshd", scores.softmax(1), values)
    torch.testing.assert_close(merged.weighted / merged.total[..., None], expected)
    torch.testing.assert_close(merged.peak + merged.total.log(), scores.logsumexp(1))


def test_each_sign_is_summed_over_its_own_readings_alone() -> None:
    rng = torch.Generator().manual_seed(1)
    scores, values = torch.randn(2, 11, 3, 2, generator=rng), torch.randn(2, 11, 2, 4, generator=rng)
    variables, mask = torch.randint(0, 3, (2, 11), generator=rng), torch.rand(2, 11, generator=rng) < 0.8
    found = gather_by_sign(scores.masked_fill(~mask[..., None, None], NEVER), values, variables, mask, 4)
    for case in range(2):
        for sign in range(4):
            own = [i for i in range(11) if mask[case, i] and variables[case, i] == sign]
            weighted: Tensor = torch.zeros(3, 2, 4)
            for i in own:
                weighted = weighted + scores[case, i].exp()[..., None] * values[case, i]
            kept = found.peak[case, sign].exp()[..., None] * found.weighted[case, sign]
            torch.testing.assert_close(kept, weighted)


def test_very_old_readings_leave_only_the_evidence_of_none() -> None:
    torch.manual_seed(0)
    encoder = build(replace(ModelConfig(), vitals=SMALL)).eval().requires_grad_(False)
    old = {**inputs(), "times_h": torch.full((2, 40), -1e6)}
    encoded = encoder(old)
    torch.testing.assert_close(encoded.pooled[0], encoded.pooled[1])
    recent = encoder(inputs()).pooled
    assert not torch.allclose(recent[0], recent[1], atol=1e-3)


@pytest.mark.parametrize("kind", ["latent", "dense"])
def test_padding_and_order_change_nothing(kind: str) -> None:
    torch.manual_seed(0)
    encoder = build(replace(ModelConfig(), vitals=replace(SMALL, kind=kind))).eval().requires_grad_(False)
    plain = inputs()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    padded = {name: torch.cat([value[:, order], value[:, :5]], dim=1) for name, value in plain.items()}
    padded["mask"][:, 40:] = False
    torch.testing.assert_close(encoder(plain).pooled, encoder(padded).pooled, atol=1e-5, rtol=0)


def test_the_read_out_knows_when_readings_were_taken() -> None:
    torch.manual_seed(0)
    encoder = build(replace(ModelConfig(), vitals=SMALL)).eval().requires_grad_(False)
    plain = inputs()
    later = {**plain, "times_h": plain["times_h"] - 24}
    assert float((encoder(plain).pooled - encoder(later).pooled).abs().max()) > 1e-3


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="sparse"):
        build(replace(ModelConfig(), vitals=replace(SMALL, kind="sparse")))


def test_the_dense_kind_keeps_no_running_summaries() -> None:
    with pytest.raises(ValueError, match="running_bins"):
        build(replace(ModelConfig(), vitals=replace(SMALL, kind="dense", running_bins=4)))


def test_running_summaries_speak_before_the_slots_do() -> None:
    torch.manual_seed(0)
    encoder = build(replace(ModelConfig(), vitals=replace(SMALL, running_bins=4))).eval()
    encoder.settle(inputs())
    encoded = encoder(inputs())
    assert not torch.allclose(encoded.pooled[0], encoded.pooled[1], atol=1e-3)
    torch.testing.assert_close(encoded.tokens, encoded.pooled[:, None].expand_as(encoded.tokens))  # of the branch alone
    encoded.pooled.square().sum().backward()
    last = encoder.get_parameter("readout.pooler.pooled.2.weight").grad
    assert last is not None
    assert float(last.abs().max()) > 0  # and the slots can still learn
