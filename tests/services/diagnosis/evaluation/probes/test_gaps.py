from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.evaluation.probes.gaps import GAPS, measure_gaps
from tests.support.known_subject import PREVALENCE, KnownSubject, known_case

CASES = [known_case(index, ill=index % 2 == 0) for index in range(20)]
VITALS = known_case().inputs.vitals


def test_what_each_gap_leaves_of_a_record() -> None:
    assert VITALS is not None
    rng = np.random.default_rng(0)
    kept = {name: gap(VITALS, rng) for name, gap in GAPS.items()}
    assert VITALS.times_h[kept["last_12h"]].max() == -12.5
    assert VITALS.times_h[kept["last_12h"]].min() == -47.5
    assert set(np.array(VITALS.codes)[kept["signs_50%"]]) < set(VITALS.codes)
    assert not kept["signs_100%"].any()
    gone = VITALS.times_h[~GAPS["block_25%"](VITALS, np.random.default_rng(1))]
    assert gone.max() - gone.min() <= 18


def test_a_sign_of_the_last_six_hours_is_lost_with_them() -> None:
    found = measure_gaps(KnownSubject(), CASES, "diagnosis", seed=1)
    alone = found["vitals"]
    assert found["n"] == 20
    assert alone["none"]["macro_auroc"] == 1
    assert alone["last_6h"]["macro_auroc"] == alone["signs_100%"]["macro_auroc"] == 0.5
    assert alone["last_6h"]["macro_auroc_drop"] == 0.5
    assert alone["last_6h"]["intervals"]["macro_auroc_drop"] == {"low": 0.5, "high": 0.5}
    assert found["all"]["last_6h"]["macro_auroc"] == 1  # the image and the note know it as well


def test_log_loss_without_any_reading_is_that_of_the_prevalence() -> None:
    found = measure_gaps(KnownSubject(), CASES, "diagnosis", seed=1)
    rest = (1 - PREVALENCE) / 7
    assert found["vitals"]["signs_100%"]["nll"] == pytest.approx(-(np.log(PREVALENCE) + np.log(rest)) / 2)


def test_cases_without_the_task_are_left_out() -> None:
    assert measure_gaps(KnownSubject(), CASES, "mortality", seed=1) == {"n": 0}
