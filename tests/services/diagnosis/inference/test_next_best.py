from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.next_best import EntropyDrops, Regression, absent_from, entropies
from services.diagnosis.model.modalities import MODALITIES

HALF = np.array([0.5, 0.5])


def test_entropy_of_a_fair_coin_is_the_logarithm_of_two() -> None:
    np.testing.assert_allclose(entropies(np.array([[0.5, 0.5], [1.0, 0.0]])), [np.log(2), 0.0], atol=1e-9)


def test_the_largest_expected_drop_comes_first() -> None:
    # 0.1 + 0.5 * ln 2 = 0.447 for the note; 0.2 for the vitals.
    note = Regression(np.array([0.5, 0, 0, 0]), 0.1, (-0.2, 0.3), 10)
    vitals = Regression(np.zeros(4), 0.2, (-0.1, 0.1), 10)
    drops = EntropyDrops({"image": {"vitals": vitals, "note": note}}).expect(HALF, "image")
    assert [drop.modality for drop in drops] == ["note", "vitals"]
    assert drops[0].expected == pytest.approx(0.1 + 0.5 * np.log(2))
    assert drops[0].interval == pytest.approx((drops[0].expected - 0.2, drops[0].expected + 0.3))


def test_a_bundle_without_regressions_says_nothing() -> None:
    assert EntropyDrops.from_json({}).expect(HALF, "image") == ()


def test_json_gives_back_the_same() -> None:
    drops = EntropyDrops({"image": {"note": Regression(np.array([0.5, 1.0, 2.0, 3.0]), 0.1, (-0.2, 0.3), 10)}})
    assert EntropyDrops.from_json(drops.to_json()).expect(HALF, "image") == drops.expect(HALF, "image")


def test_what_is_absent_keeps_the_order_of_the_modalities() -> None:
    assert absent_from("note") == tuple(name for name in MODALITIES if name != "note")
