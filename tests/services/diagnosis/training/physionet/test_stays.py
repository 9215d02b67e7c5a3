from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from services.diagnosis.training.physionet.members import ENCODER, Mortality, Plan, ask, gather_stays, train_member
from services.diagnosis.training.physionet.stays import NAMES, Feed, Scale, Stay

HR, ICU = NAMES.index("HR"), NAMES.index("medical")


def stay(values: list[float], *, died: bool = False) -> Stay:
    times = np.linspace(-48, -1, len(values))
    return Stay(times, np.full(len(values), HR), np.array(values), died)


def test_the_scale_knows_the_training_stays_alone() -> None:
    scale = Scale.fit([stay([70.0, 80.0, 90.0])])
    shown = scale(stay([80.0, 1000.0]))
    # mean 80; the last hundredth of the training values lies at 89.8, which is where 1000 is held
    assert shown[0] == 0
    assert shown[1] == scale(stay([95.0]))[0] < 1.3


def test_a_constant_fact_does_not_divide_by_nothing() -> None:
    scale = Scale.fit([Stay(np.array([-48.0]), np.array([ICU]), np.array([1.0]), False)] * 2)
    assert np.isfinite(scale(Stay(np.array([-48.0]), np.array([ICU]), np.array([1.0]), False))).all()


def test_a_stay_is_judged_the_same_alone_as_in_a_batch() -> None:
    rng = np.random.default_rng(1)
    stays = [stay(rng.normal(80, 10, size).tolist()) for size in (3, 30, 12)]
    feed = Feed.of(stays, Scale.fit(stays))
    torch.manual_seed(0)
    model = Mortality(Plan())
    model.running.settle(gather_stays(feed))
    model.eval().requires_grad_(False)
    together = model(feed(np.arange(3)))
    alone = torch.cat([model(feed(np.array([row]))) for row in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_the_branch_that_is_trained_is_the_encoder_that_answers() -> None:
    rng = np.random.default_rng(2)
    died = np.arange(64) % 2
    stays = [stay(rng.normal(75 + 20 * ill, 5, 8).tolist(), died=bool(ill)) for ill in died]
    feed = Feed.of(stays, Scale.fit(stays))
    sums = gather_stays(feed)
    plan = Plan(epochs=20, batch_size=32, learning_rate=1e-2)
    model = train_member(sums, died.astype(np.float64), plan, 0).requires_grad_(False)
    logits = ask(model, feed)
    np.testing.assert_allclose(logits, model.judge(sums).numpy(), atol=1e-5)
    assert logits[died == 1].min() > logits[died == 0].max()


def test_a_plan_without_summaries_is_refused() -> None:
    with pytest.raises(ValueError, match="running_bins"):
        Mortality(Plan(model=replace(ENCODER, running_bins=0)))
