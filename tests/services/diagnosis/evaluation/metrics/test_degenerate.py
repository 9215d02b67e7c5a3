"""Tiny, one-sided and certain samples end in numbers or nulls, never in a warning, a NaN or a crash."""

from __future__ import annotations

import json

import numpy as np
import pytest

from services.diagnosis.evaluation.metrics.availability import evaluate_availability
from services.diagnosis.evaluation.metrics.missingness import missing
from services.diagnosis.evaluation.metrics.patterns import evaluate_all
from services.diagnosis.evaluation.metrics.shares import modality_shares
from services.diagnosis.evaluation.metrics.subgroups import evaluate_subgroups
from services.diagnosis.evaluation.subject import Table
from tests.services.diagnosis.evaluation.metrics.tables import CLASSES, evidence, posteriors, table_of


def sample(kind: str, n: int) -> Table:
    labels, log_likelihood = evidence(n)
    exact = posteriors(log_likelihood)
    answers = {
        "usual": exact,
        "one class": exact,
        "constant": {p: np.full((n, CLASSES), 1 / CLASSES) for p in exact},
        "certain and right": {p: np.eye(CLASSES)[labels] for p in exact},
        "certain and wrong": {p: np.eye(CLASSES)[(labels + 1) % CLASSES] for p in exact},
    }[kind]
    truth = np.zeros(n, np.int64) if kind == "one class" else labels
    return table_of(answers, truth, posterior=exact, subgroups={"sex": np.array(["F", "M"] * n)[:n]})


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("kind", ["usual", "one class", "constant", "certain and right", "certain and wrong"])
def test_degenerate_samples_are_json(kind: str, n: int) -> None:
    table = sample(kind, n)
    found = [
        evaluate_all(table, resamples=10),
        evaluate_subgroups(table, "image+note+vitals", resamples=10),
        modality_shares(table, resamples=10),
        missing(table, resamples=10),
        evaluate_availability(table, resamples=10),
    ]
    json.dumps(found, allow_nan=False)
