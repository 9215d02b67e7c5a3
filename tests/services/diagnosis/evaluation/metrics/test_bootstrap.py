from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from services.diagnosis.evaluation.metrics.bootstrap import Bootstrapped, Resamples, bootstrap, percentiles
from services.diagnosis.evaluation.metrics.calibration import bin_equally, squared_calibration_error
from services.diagnosis.evaluation.metrics.discrimination import auroc_and_precision, macro
from services.diagnosis.evaluation.metrics.figures import figures_of
from services.diagnosis.evaluation.metrics.view import view_of
from services.diagnosis.model.modalities import MODALITIES
from tests.services.diagnosis.evaluation.metrics.tables import calibrated, evidence, posteriors, table_of

FULL = "image+note+vitals"


def test_all_cases_of_a_patient_are_drawn_together() -> None:
    patients = np.repeat(np.arange(30).astype(str), 3)
    draws = Resamples.draw(patients, seed=0, resamples=20)
    weights = np.concatenate(list(draws.chunks(np.arange(90))))
    assert (weights.reshape(20, 30, 3) == weights.reshape(20, 30, 3)[..., :1]).all()
    assert (weights.sum(1) == 90).all()


def test_draws_belong_to_patients_whatever_the_order_of_the_cases() -> None:
    patients = np.array(["b", "a", "c", "a"])
    straight, turned = (Resamples.draw(names, seed=1, resamples=10) for names in (patients, patients[::-1]))
    rows = np.arange(4)
    assert np.array_equal(next(straight.chunks(rows)), next(turned.chunks(rows))[:, ::-1])


def test_another_seed_draws_others() -> None:
    patients = np.arange(50).astype(str)
    first, second = (Resamples.draw(patients, seed=seed, resamples=5).counts for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_figures_by_weights_are_those_of_the_resamples_written_out() -> None:
    # Naturally incomplete cases, two per patient, three classes: every figure against the same code on copies, and
    # discrimination against scikit-learn.
    labels, log_likelihood = evidence(120, seed=3)
    held = np.random.default_rng(0).random((120, len(MODALITIES))) < 0.8
    patients = np.repeat(np.arange(60).astype(str), 2)
    table = table_of(posteriors(log_likelihood), labels, available=held, patients=patients)
    view = view_of(table, "image+note")
    assert view is not None
    draws = Resamples.draw(patients, seed=0, resamples=8)
    figures = bootstrap(figures_of(view), draws, view.rows)
    refitted = {"calibration_slope", "class_calibration_slope", "class_calibration_intercept"}
    for row, counts in enumerate(draws.counts):
        copies = np.repeat(np.arange(len(view.rows)), counts[draws.patient[view.rows]])
        written_out = view.restricted(copies)
        expected = figures_of(written_out)(np.ones((1, len(copies))))
        for name in figures.samples.keys() - refitted:
            assert figures.samples[name][row] == pytest.approx(expected[name][0], nan_ok=True), name
        for k in range(3):
            truth, scores = written_out.labels == k, written_out.probabilities[:, k]
            assert figures.samples["class_auroc"][row, k] == pytest.approx(roc_auc_score(truth, scores))
            assert figures.samples["class_auprc"][row, k] == pytest.approx(average_precision_score(truth, scores))


def test_chunks_give_the_same_figures_as_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(calibrated(50), FULL)
    assert view is not None
    draws = Resamples.draw(np.arange(50).astype(str), seed=0, resamples=30)
    whole = bootstrap(figures_of(view), draws, view.rows)
    monkeypatch.setattr("services.diagnosis.evaluation.metrics.bootstrap._CHUNK", 350)
    pieces = bootstrap(figures_of(view), draws, view.rows)
    assert all(np.allclose(whole.samples[name], pieces.samples[name], equal_nan=True) for name in whole.samples)


def test_an_interval_is_the_central_percentiles_of_the_defined_resamples() -> None:
    samples = np.append(np.arange(101.0), np.nan)
    assert [float(end) for end in percentiles(samples)] == pytest.approx([2.5, 97.5])


def test_a_figure_that_most_resamples_lack_has_no_interval() -> None:
    low, high = percentiles(np.array([1.0, np.nan, np.nan]))
    assert np.isnan([low, high]).all()


def test_the_interval_of_a_debiased_figure_subtracts_the_errors_of_the_resamples() -> None:
    # Value 0.1, plug-in 0.3; resamples estimate the plug-in with errors from -0.05 to +0.15: 0.1 - 0.15 ... 0.1 + 0.05.
    samples = np.linspace(0.25, 0.45, 1001)
    figures = Bootstrapped({"x": np.array(0.1), "x/plug-in": np.array(0.3)}, {"x": samples, "x/plug-in": samples})
    low, high = figures.interval("x")
    assert (float(low), float(high)) == pytest.approx((-0.045, 0.145), abs=1e-3)


def test_nine_in_ten_or_more_intervals_hold_the_known_auroc() -> None:
    # Two Gaussians one apart: AUROC = Phi(1 / sqrt 2) = 0.760. 95 % nominal; 200 trials, so at least 0.95 - 3 * 0.0154.
    truth, rng, held = float(norm.cdf(1 / np.sqrt(2))), np.random.default_rng(8), 0
    for trial in range(200):
        positive = np.arange(150) < 50
        scores = rng.normal(size=150) + positive
        draws = Resamples.draw(np.arange(150).astype(str), seed=trial, resamples=300)
        figures = bootstrap(_auroc(scores, positive), draws, np.arange(150))
        low, high = figures.interval("auroc")
        held += int(low <= truth <= high)
    assert 0.90 <= held / 200 <= 0.995


def _auroc(scores: np.ndarray, positive: np.ndarray):  # type: ignore[no-untyped-def]  # a statistic
    return lambda weights: {"auroc": auroc_and_precision(scores, positive, weights)[0]}


@pytest.mark.parametrize("slope", [1.0, 0.6], ids=["calibrated", "overconfident"])
def test_intervals_of_the_calibration_error_hold_it_where_percentiles_would_not(slope: float) -> None:
    # The truth over equal-mass bins of the population, from 200,000 draws of the same log-odds.
    rng = np.random.default_rng(9)
    population = rng.normal(1.5, 1.5, 200_000)
    bins = bin_equally(expit(population), expit(slope * population), np.ones((1, len(population))))
    truth = float(squared_calibration_error(bins)[1][0])
    held = percentile_held = 0
    for trial in range(100):
        odds = rng.normal(1.5, 1.5, 400)
        hit = (rng.random(400) < expit(slope * odds)).astype(np.float64)
        draws = Resamples.draw(np.arange(400).astype(str), seed=trial, resamples=200)
        figures = bootstrap(_squared_error(expit(odds), hit), draws, np.arange(400))
        low, high = figures.interval("error")
        held += int(low <= truth <= high)
        low, high = percentiles(figures.samples["error/plug-in"])
        percentile_held += int(low <= truth <= high)
    assert held >= 88
    assert percentile_held < held


def _squared_error(predictions: np.ndarray, hit: np.ndarray):  # type: ignore[no-untyped-def]  # a statistic
    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        debiased, plug_in = squared_calibration_error(bin_equally(predictions, hit, weights))
        return {"error": debiased, "error/plug-in": plug_in}

    return statistic


def test_the_macro_mean_of_a_resample_skips_the_class_it_lacks() -> None:
    assert macro(np.array([[0.6, np.nan, 0.8], [np.nan, np.nan, np.nan]])) == pytest.approx([0.7, np.nan], nan_ok=True)
