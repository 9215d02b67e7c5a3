from __future__ import annotations

import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.training.learning_curve import learning_curve

pytestmark = pytest.mark.slow  # trains several times


def test_with_more_cases_to_learn_from_the_members_agree_more() -> None:
    found = learning_curve(DEMO_BUNDLE, sizes=(64, 256), test=64, members=2, steps=24, processes=1)
    assert found[256]["epistemic"] < 0.8 * found[64]["epistemic"]
    assert found[256]["macro_auroc"] > 0.8
    assert found[64]["low"] < found[64]["epistemic"] < found[64]["high"]
