"""The shipped bundle on a sample of a ward it has never seen: generous bounds, since n is small here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from services.diagnosis.bundle.contents import read_bundle
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from services.diagnosis.training.cohort import Cohort, draw_cohort
from services.diagnosis.training.decisions import calibrated
from services.diagnosis.training.metrics import expected_calibration_error, macro_auroc
from services.diagnosis.training.recipe import RECIPES
from services.diagnosis.training.stages import Feeds, Vocabulary, ask_every_pattern, encode_split

pytestmark = pytest.mark.slow  # thousands of cases

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
N = 400


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return draw_cohort(515151, 0, N, side=128)


@pytest.fixture(scope="module")
def probabilities(predictor: Predictor, cohort: Cohort) -> dict[str, Array]:
    """Pattern -> calibrated probabilities [n, classes], by the same code that made the card."""
    from services.diagnosis.ward.tables import WARD

    catalogue = {name: {f.name: f.values for f in WARD.findings if f.modality == name} for name in MODALITIES}
    own = predictor.preprocessor
    vocabulary = Vocabulary(own.tokenizer, own.scale, own.facts_scale, catalogue)
    network = predictor.engine.network
    encoded = encode_split(network, Feeds.of(cohort, vocabulary, RECIPES["demo"]), N)
    members = calibrated(predictor.engine.calibrator, ask_every_pattern(network, encoded, N))
    return {pattern: value.mean(0)[:, : len(predictor.contents.labels)] for pattern, value in members.items()}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_sets_cover_the_truth_nine_times_in_ten(probabilities: dict[str, Array], cohort: Cohort, pattern: str) -> None:
    table = read_bundle(DEMO_BUNDLE)[1].conformal
    hits = sum(
        label in table.predict(row, pattern)[0]
        for row, label in zip(probabilities[pattern], cohort.labels, strict=True)
    )
    # One false alarm in ten thousand, and two points for the calibration split's own chance.
    assert hits >= binom.ppf(1e-4, N, 0.88)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_probabilities_mean_what_they_say(probabilities: dict[str, Array], cohort: Cohort, pattern: str) -> None:
    # With 400 cases in 10 bins a perfectly calibrated model shows an error of about 0.05 by chance alone.
    assert expected_calibration_error(probabilities[pattern], cohort.labels, bins=10) < 0.11


def test_all_together_know_more_than_each(probabilities: dict[str, Array], cohort: Cohort) -> None:
    whole = macro_auroc(probabilities["+".join(MODALITIES)], cohort.labels)
    assert all(whole > macro_auroc(probabilities[name], cohort.labels) for name in MODALITIES)


def test_it_comes_close_to_what_can_be_known(probabilities: dict[str, Array], cohort: Cohort) -> None:
    best = macro_auroc(cohort.posteriors()["+".join(MODALITIES)], cohort.labels)
    assert macro_auroc(probabilities["+".join(MODALITIES)], cohort.labels) > best - 0.06
