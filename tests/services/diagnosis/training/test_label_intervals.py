from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.uncertainty import logit
from services.diagnosis.model.modalities import PATTERNS
from services.diagnosis.training.label_intervals import NOTHING_KNOWN, farthest_frequency, fit_intervals_to_labels


def draw(n: int, seed: int, *, bias: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Member probabilities of two classes, labels, and the truth that they were drawn from."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n) * 1.5
    truth = 1 / (1 + np.exp(-z))
    told = 1 / (1 + np.exp(-(z[None] + bias + 0.2 * rng.normal(size=(3, n)))))
    return np.stack([1 - told, told], axis=-1), (rng.random(n) < truth).astype(np.int64), truth


def test_the_farther_end_is_that_of_the_bayesian_interval() -> None:
    # 30 answers of one half, all of which had it. Beta(31, 1) has the distribution function x^31, so the farther end
    # of its central 90 % is 0.95^(1/31), and logit(1/2) is 0.
    end = 0.95 ** (1 / 31)
    found = farthest_frequency(np.full(30, 0.5), np.ones(30, np.bool_), 0.9)
    assert found == pytest.approx(np.full(30, np.log(end / (1 - end))))


def test_intervals_hold_the_truth_of_most_cases_although_only_labels_were_seen() -> None:
    members, labels, _ = draw(600, 0)
    scale = fit_intervals_to_labels(dict.fromkeys(PATTERNS, members), dict.fromkeys(PATTERNS, labels))
    fresh, _, truth = draw(600, 1)
    ends = [scale.interval(fresh[:, i, 1], PATTERNS[0]) for i in range(600)]
    held = [low <= p <= high for (low, high), p in zip(ends, truth, strict=True)]
    assert np.mean(held) >= 0.9  # wider than needed: the error of counting is in them


def test_few_cases_give_wider_intervals_than_many() -> None:
    widths = []
    for n in (90, 6000):
        members, labels, _ = draw(n, 2)
        scale = fit_intervals_to_labels(dict.fromkeys(PATTERNS, members), dict.fromkeys(PATTERNS, labels))
        widths.append(scale.multipliers[PATTERNS[0]] * (scale.floors[PATTERNS[0]] + 0.2))
    assert widths[0] > widths[1]


def test_a_biased_model_gets_wider_intervals() -> None:
    scales = []
    for bias in (0.0, 2.0):
        members, labels, _ = draw(3000, 3, bias=bias)
        scales.append(fit_intervals_to_labels(dict.fromkeys(PATTERNS, members), dict.fromkeys(PATTERNS, labels)))
    assert scales[1].multipliers[PATTERNS[0]] > 1.5 * scales[0].multipliers[PATTERNS[0]]


def test_a_pattern_of_few_cases_takes_the_widest_scale() -> None:
    members, labels, _ = draw(300, 4)
    shown = {p: members[:, : 300 if p == PATTERNS[0] else 5] for p in PATTERNS}
    scale = fit_intervals_to_labels(shown, {p: labels[: 300 if p == PATTERNS[0] else 5] for p in PATTERNS})
    assert scale.multipliers[PATTERNS[-1]] == scale.multipliers[PATTERNS[0]]


def test_nothing_is_known_where_no_pattern_has_cases() -> None:
    members, labels, _ = draw(5, 5)
    scale = fit_intervals_to_labels(dict.fromkeys(PATTERNS, members), dict.fromkeys(PATTERNS, labels))
    assert (scale.multipliers[PATTERNS[0]], scale.floors[PATTERNS[0]]) == NOTHING_KNOWN
    low, high = scale.interval(np.array([0.4, 0.6]), PATTERNS[0])
    assert logit(np.array([low]))[0] < -9
    assert logit(np.array([high]))[0] > 9
