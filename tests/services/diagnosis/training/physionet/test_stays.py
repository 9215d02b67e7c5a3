from __future__ import annotations

import numpy as np
import torch

from services.diagnosis.training.physionet.members import Mortality, Plan
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


def test_thinning_leaves_at_least_one_reading() -> None:
    stays = [stay([70.0 + i]) for i in range(20)]
    feed = Feed.of(stays, Scale.fit(stays))
    rng = np.random.default_rng(0)
    assert all(bool(feed(np.arange(20), rng)["mask"].any(1).all()) for _ in range(10))


def test_a_stay_is_judged_the_same_alone_as_in_a_batch() -> None:
    rng = np.random.default_rng(1)
    stays = [stay(rng.normal(80, 10, size).tolist()) for size in (3, 30, 12)]
    feed = Feed.of(stays, Scale.fit(stays))
    torch.manual_seed(0)
    model = Mortality(Plan()).eval().requires_grad_(False)
    together = model(feed(np.arange(3)))
    alone = torch.cat([model(feed(np.array([row]))) for row in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
