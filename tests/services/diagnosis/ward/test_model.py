"""The joint distribution is one, and sampling follows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.ward.model import Finding, Severity, comonotone
from services.diagnosis.ward.population import Person, Population
from services.diagnosis.ward.sampling import Draws, draw, sample_many
from services.diagnosis.ward.tables import HISTORY_AGE_SLOPE, PRESENT, WARD
from shared.codes import DIAGNOSES, NO_ACUTE_DISEASE

DRAWS = 20_000
REFERENCE = Person(62, "F", 3, "hill")
OLD = Person(94, "M", 3, "hill")
"""Two units of 16 years above the reference."""
LABEL = 3


@pytest.fixture(scope="module")
def effusions() -> Draws:
    """Patients of 62 years, all with the same diagnosis."""
    return draw(WARD, [REFERENCE] * DRAWS, np.random.default_rng(1), label=LABEL)


def error(probability: float, draws: int = DRAWS) -> float:
    return 4.5 * float(np.sqrt(probability * (1 - probability) / draws))


def test_the_prior_covers_the_labels_and_sums_to_one() -> None:
    assert WARD.prior.shape == (len(DIAGNOSES),)
    assert WARD.prior.sum() == pytest.approx(1)


@pytest.mark.parametrize("finding", WARD.findings, ids=lambda finding: finding.name)
def test_every_conditional_table_is_a_distribution_without_zeros(finding: Finding) -> None:
    for table in (finding.table[None], finding.given([REFERENCE, OLD])):
        assert table.shape[1:] == (len(DIAGNOSES), len(finding.values))
        assert (table > 0).all()
        np.testing.assert_allclose(table.sum(axis=2), 1)


@pytest.mark.parametrize("finding", WARD.findings, ids=lambda finding: finding.name)
def test_at_the_reference_age_the_tables_hold_as_written(finding: Finding) -> None:
    np.testing.assert_allclose(finding.given([REFERENCE])[0], finding.table)


def test_the_prior_of_an_old_man_is_the_written_tilt_normalised() -> None:
    # tables.py: prior x exp(2 x slope + male/2), for 94 years = 62 + 2 x 16
    tilted = [0.18 * np.exp(0.15), 0.15 * np.exp(0.90), 0.08 * np.exp(-0.80), 0.11 * np.exp(0.35)]
    tilted += [0.13 * np.exp(0.80), 0.10 * np.exp(-0.40), 0.11 * np.exp(0.20), 0.14 * np.exp(-1.30)]
    np.testing.assert_allclose(WARD.prior_given([REFERENCE, OLD])[1], np.array(tilted) / np.sum(tilted))


def test_kidney_disease_of_an_old_man_without_acute_disease_by_hand() -> None:
    # presence: odds 0.10 / 0.90 x exp(2 x 0.7) = 0.450578 -> 0.310620; written: 0.82 if present, 0.01 if not
    written = WARD.finding("chronic_kidney_disease").given([OLD])[0, 7]
    assert written[1] == pytest.approx(0.310620 * 0.82 + 0.689380 * 0.01, abs=1e-6)


def test_only_what_patients_came_with_depends_on_age() -> None:
    changed = {f.name for f in WARD.findings if not np.allclose(f.given([OLD])[0], f.table)}
    assert changed == {name for name, slope in HISTORY_AGE_SLOPE.items() if slope}
    assert changed < PRESENT.keys()


def test_each_member_of_a_synergy_pair_alone_says_nothing_of_the_diagnosis() -> None:
    for pair in WARD.pairs:
        joint = pair.joint()
        for axis in (1, 2):
            marginal = joint.sum(axis=axis)
            np.testing.assert_allclose(marginal, np.broadcast_to(marginal[0], marginal.shape))


def test_the_marginal_table_of_a_pair_member_is_that_of_the_joint() -> None:
    for pair in WARD.coupled:
        np.testing.assert_allclose(pair.joint().sum(axis=2), WARD.finding(pair.first).table)
        np.testing.assert_allclose(pair.joint().sum(axis=1), WARD.finding(pair.second).table)


def test_the_members_of_a_pair_come_from_different_modalities_and_belong_to_no_other_pair() -> None:
    assert all(WARD.finding(pair.first).modality != WARD.finding(pair.second).modality for pair in WARD.coupled)
    assert len(WARD.paired) == 2 * len(WARD.coupled)


def test_one_uniform_number_by_hand() -> None:
    # (0.5, 0.5) and (0.2, 0.3, 0.5): [0, .5) overlaps [0, .2) and [.2, .5), [.5, 1) overlaps [.5, 1) alone
    joint = comonotone(np.array([[0.5, 0.5]]), np.array([[0.2, 0.3, 0.5]]))[0]
    np.testing.assert_allclose(joint, [[0.2, 0.3, 0.0], [0.0, 0.0, 0.5]], atol=1e-15)


def test_equal_tables_on_one_uniform_number_are_copies() -> None:
    table = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
    np.testing.assert_allclose(comonotone(table, table), [np.diag(row) for row in table], atol=1e-15)


def test_sampled_frequencies_follow_the_tables(effusions: Draws) -> None:
    for j, finding in enumerate(WARD.findings):
        for code, expected in enumerate(finding.table[LABEL]):
            assert abs((effusions.values[:, j] == code).mean() - expected) < error(expected), (finding.name, code)


def test_sampled_pairs_follow_their_joint_tables(effusions: Draws) -> None:
    for pair in WARD.coupled:
        first = effusions.values[:, WARD.position(pair.first)]
        second = effusions.values[:, WARD.position(pair.second)]
        for (i, j), expected in np.ndenumerate(pair.joint()[LABEL]):
            assert abs(((first == i) & (second == j)).mean() - expected) < error(expected), (pair.first, i, j)


def test_sampled_diagnoses_follow_age_and_sex() -> None:
    for person in (OLD, Person(30, "F", 3, "hill")):
        labels = draw(WARD, [person] * DRAWS, np.random.default_rng(2)).labels
        for label, expected in enumerate(WARD.prior_given([person])[0]):
            assert abs((labels == label).mean() - expected) < error(expected)


def test_sampled_histories_follow_age() -> None:
    values = draw(WARD, [OLD] * DRAWS, np.random.default_rng(3), label=LABEL).values
    for name in HISTORY_AGE_SLOPE:
        for code, expected in enumerate(WARD.finding(name).given([OLD])[0, LABEL]):
            assert abs((values[:, WARD.position(name)] == code).mean() - expected) < error(expected), name


def test_deterioration_is_likelier_with_every_severe_vital_sign(normal: dict[str, str]) -> None:
    calm = WARD.deterioration.probability(normal)
    for name, value in WARD.deterioration.weights:
        assert (WARD.deterioration.probability(normal | {name: value}) > calm).all()


def test_severity_grows_with_every_finding_that_has_a_weight(normal: dict[str, str]) -> None:
    calm = WARD.severity.probabilities(normal)
    for name, value in WARD.severity.weights:
        grave = WARD.severity.probabilities(normal | {name: value})
        assert (grave[:, 0] < calm[:, 0]).all()
        assert (grave[:, 2] > calm[:, 2]).all()


def test_severity_depends_on_findings_of_every_modality_that_age_does_not_change() -> None:
    weighed = [WARD.finding(name) for name, _ in WARD.severity.weights]
    assert {finding.modality for finding in weighed} == {"image", "note", "vitals"}
    assert all(len(finding.given([OLD, OLD])) == 1 for finding in weighed)


def test_every_level_of_severity_is_common_and_who_is_well_is_mildly_ill() -> None:
    drawn = sample_many(WARD, Population(), DRAWS, np.random.default_rng(8))
    shares = np.bincount(drawn.severity, minlength=3) / DRAWS
    assert shares.min() > 0.15
    assert (drawn.severity[drawn.labels == DIAGNOSES.index(NO_ACUTE_DISEASE)] == 0).mean() > 0.93


def test_the_severity_of_a_draw_changes_nothing_else_that_is_drawn() -> None:
    models = WARD, replace(WARD, severity=Severity(np.full((8, 2), -9.0), {}))
    rngs = np.random.default_rng(9), np.random.default_rng(9)
    first, second = (draw(model, [OLD] * 500, rng) for model, rng in zip(models, rngs, strict=True))
    for name in ("labels", "values", "deterioration"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert not np.array_equal(first.severity, second.severity)
    assert rngs[0].random() == rngs[1].random()
