from __future__ import annotations

from itertools import accumulate, cycle

import pytest
import torch

from services.diagnosis.evaluation.probes.latency import measure_latency
from tests.support.known_subject import KnownSubject, known_cases


def test_percentiles_of_a_clock_that_is_known() -> None:
    """Between the readings of the clock pass 10 and 30 ms in turn, and no time in between."""
    ticks = accumulate(cycle([0.0, 0.010, 0.0, 0.030]))
    found = measure_latency(KnownSubject(), known_cases(5), warm_up=0, clock=lambda: next(ticks))
    assert found["n"] == 5
    assert found["answer"] == pytest.approx({"p50": 10, "p95": 10, "p99": 10, "mean": 10})
    assert found["explain"]["p99"] == pytest.approx(30)
    assert "Python" in found["platform"]


def test_the_number_of_threads_is_given_back() -> None:
    torch.set_num_threads(2)
    told: list[None] = []
    measure_latency(KnownSubject(), known_cases(2), advance=lambda: told.append(None))
    assert torch.get_num_threads() == 2
    assert len(told) == 2
    torch.set_num_threads(1)
