"""The fusion learns from cases that lack modalities, and nothing of what they lack."""

from __future__ import annotations

from dataclasses import replace

import torch

from services.diagnosis.model.config import FusionConfig, ModelConfig, tasks_of
from services.diagnosis.model.fusion import FusionMember
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.training.cohort import Cohort, draw_record
from services.diagnosis.training.fuse import TokenCache, believed, recorded, shown_under, train_member
from services.diagnosis.training.task_losses import one_hot_levels

N, DIM, TOKENS, CLASSES = 24, 8, 2, 3
TASKS = tasks_of(CLASSES, deterioration=False, severity=True)


def cache() -> TokenCache:
    """Half of the cases have an image alone, and of every fourth nobody knows the severity."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.nn.functional.one_hot(torch.arange(N) % CLASSES, CLASSES).float()
    available = torch.ones(N, len(MODALITIES), dtype=torch.bool)
    available[::2, 1:] = False
    levels = one_hot_levels(torch.arange(N) % 4 - 1, 3)[:, None].expand(-1, len(PATTERNS), -1)
    return TokenCache(
        (torch.randn(N, len(MODALITIES), TOKENS, DIM, generator=rng),),
        (torch.randn(N, len(MODALITIES), DIM, generator=rng),),
        TASKS,
        {"diagnosis": labels[:, None].expand(-1, len(PATTERNS), -1), "severity": levels},
        available,
    )


def member() -> FusionMember:
    torch.manual_seed(1)
    config = FusionConfig(latents=2, blocks=1, heads=2, hidden=8, rank=2, dropout=0.0)
    return FusionMember(config, dim=DIM, tokens=TOKENS, modalities=len(MODALITIES), logits=CLASSES + 2)


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


def test_a_member_starts_from_how_often_each_answer_came() -> None:
    learner = member()
    train_member(learner, cache(), epochs=1, batch_size=8, learning_rate=0.0, seed=4)
    # a third of each label; of 18 known levels six of each, one more counted: 14 of 21 go beyond the first, 7 of 14 on
    torch.testing.assert_close(learner.bias.detach(), torch.tensor([1 / 3, 1 / 3, 1 / 3, 2.0, 1.0]).log())


def test_targets_are_beliefs_of_each_pattern_or_the_truth_under_all() -> None:
    record = draw_record(9, 0, 32)
    unknown = replace(record, severity=None, severity_beliefs={})
    cohort, tasks = Cohort((record, unknown)), ModelConfig().tasks
    soft, hard = believed(cohort, tasks), recorded(cohort, tasks)
    for place, pattern in enumerate(PATTERNS):
        torch.testing.assert_close(soft["severity"][0, place], torch.tensor(record.severity_beliefs[pattern]))
        assert hard["severity"][0, place].argmax().item() == record.severity
        assert hard["diagnosis"][0, place].argmax().item() == record.label
    assert not soft["severity"][1].any()
    assert not hard["severity"][1].any()
