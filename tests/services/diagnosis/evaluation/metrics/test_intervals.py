from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.evaluation.metrics.intervals import ratio_with_interval, summarise

RNG = np.random.default_rng(0)


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    values, patients = RNG.normal(3, 2, 400), np.arange(400).astype(str)
    summary = summarise({"x": values}, patients, seed=1, resamples=4000)
    margin = 1.96 * values.std() / np.sqrt(400)
    interval = summary["intervals"]["x"]
    assert summary["x"] == pytest.approx(values.mean())
    assert interval["low"] == pytest.approx(values.mean() - margin, abs=0.03)
    assert interval["high"] == pytest.approx(values.mean() + margin, abs=0.03)


def test_ten_cases_of_a_patient_are_no_more_evidence_than_one() -> None:
    values, patients = RNG.normal(size=50), np.arange(50).astype(str)
    once = summarise({"x": values}, patients, seed=1)
    tenfold = summarise({"x": np.repeat(values, 10)}, np.repeat(patients, 10), seed=1)
    assert tenfold["intervals"]["x"]["low"] == pytest.approx(once["intervals"]["x"]["low"], abs=0.03)


def test_unknown_values_are_left_out_and_nothing_known_is_none() -> None:
    columns = {"x": np.array([1.0, np.nan, 3.0]), "y": np.full(3, np.nan)}
    summary = summarise(columns, np.array(["a", "b", "c"]), seed=1)
    assert summary["x"] == 2.0
    assert summary["y"] is None
    assert summary["intervals"]["y"] == {"low": None, "high": None}


def test_a_ratio_of_means_is_no_mean_of_ratios() -> None:
    value, interval = ratio_with_interval(
        np.array([1.0, 3.0]), np.array([1.0, 1.0]), np.array(["a", "b"]), seed=1, resamples=200
    )
    assert value == 2.0
    assert interval == {"low": 1.0, "high": 3.0}


def test_a_ratio_to_nothing_is_none() -> None:
    assert ratio_with_interval(np.ones(2), np.zeros(2), np.array(["a", "b"]), seed=1)[0] is None
