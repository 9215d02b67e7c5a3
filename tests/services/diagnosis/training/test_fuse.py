"""The fusion learns from cases that lack modalities, and nothing of what they lack."""

from __future__ import annotations

from dataclasses import replace

import torch

from services.diagnosis.model.config import FusionConfig
from services.diagnosis.model.fusion import FusionMember
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.training.fuse import TokenCache, shown_under, train_member

N, DIM, TOKENS, CLASSES = 24, 8, 2, 3


def cache() -> TokenCache:
    """Half of the cases have an image alone."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.nn.functional.one_hot(torch.arange(N) % CLASSES, CLASSES).float()
    available = torch.ones(N, len(MODALITIES), dtype=torch.bool)
    available[::2, 1:] = False
    return TokenCache(
        (torch.randn(N, len(MODALITIES), TOKENS, DIM, generator=rng),),
        (torch.randn(N, len(MODALITIES), DIM, generator=rng),),
        labels[:, None].expand(-1, len(PATTERNS), -1),
        None,
        available,
    )


def member() -> FusionMember:
    torch.manual_seed(1)
    config = FusionConfig(latents=2, blocks=1, heads=2, hidden=8, rank=2, dropout=0.0)
    return FusionMember(config, dim=DIM, tokens=TOKENS, modalities=len(MODALITIES), logits=CLASSES)


def test_a_pattern_is_cut_to_what_the_case_holds_and_never_to_nothing() -> None:
    held = torch.tensor([mask_of("image+note"), mask_of("image"), mask_of("image+note")])
    asked = torch.tensor([PATTERNS.index(name) for name in ("note+vitals", "note", "image+note+vitals+tabular")])
    expected = torch.tensor([mask_of("note"), mask_of("image"), mask_of("image+note")])
    assert shown_under(asked, held).equal(expected)


def test_what_stands_where_a_modality_is_absent_changes_nothing() -> None:
    given = cache()
    tokens, pooled = given.tokens[0].clone(), given.pooled[0].clone()
    tokens[::2, 1:], pooled[::2, 1:] = 100.0, -100.0
    changed = replace(given, tokens=(tokens,), pooled=(pooled,))
    states = []
    for own in (given, changed):
        learner = member()
        train_member(learner, own, epochs=2, batch_size=8, learning_rate=1e-2, seed=4)
        states.append(learner.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, msg=name)
