from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.model.fusion import MODES
from services.diagnosis.training.fusion_modes import _compare, compare_modes

RNG = np.random.default_rng(0)


@pytest.mark.slow
def test_three_modes_are_trained_on_the_same_encodings_and_judged() -> None:
    found = compare_modes(DEMO_BUNDLE, train=192, test=96, members=1, epochs=40, processes=1)
    assert set(found) == set(MODES)
    assert found["hybrid"]["hybrid_minus"]["value"] == 0
    assert all(figures["macro_auroc"]["value"] > 0.8 for figures in found.values())


def test_what_hybrid_wins_is_paired() -> None:
    labels = np.arange(200) % 4
    right = np.eye(4)[labels] * 0.6 + 0.1
    found = _compare({"hybrid": right, "late": RNG.dirichlet(np.ones(4), 200)}, labels, seed=1)
    assert found["hybrid"]["macro_auroc"]["value"] == 1
    assert found["late"]["hybrid_minus"]["value"] == pytest.approx(1 - found["late"]["macro_auroc"]["value"])
    assert found["late"]["hybrid_minus"]["low"] > 0.3
