"""The joint distribution is one, and sampling follows it."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward.model import Finding, sample
from services.diagnosis.ward.tables import WARD
from shared.codes import DIAGNOSES


def test_the_prior_covers_the_labels_and_sums_to_one() -> None:
    assert WARD.prior.shape == (len(DIAGNOSES),)
    assert WARD.prior.sum() == pytest.approx(1)


@pytest.mark.parametrize("finding", WARD.findings, ids=lambda finding: finding.name)
def test_every_conditional_table_is_a_distribution_without_zeros(finding: Finding) -> None:
    assert finding.table.shape == (len(DIAGNOSES), len(finding.values))
    assert (finding.table > 0).all()
    np.testing.assert_allclose(finding.table.sum(axis=1), 1)


def test_each_member_of_a_pair_alone_says_nothing_of_the_diagnosis() -> None:
    for pair in WARD.pairs:
        joint = pair.joint()
        for axis in (1, 2):
            marginal = joint.sum(axis=axis)
            np.testing.assert_allclose(marginal, np.broadcast_to(marginal[0], marginal.shape))


def test_the_marginal_table_of_a_pair_member_is_that_of_the_joint() -> None:
    for pair in WARD.pairs:
        np.testing.assert_allclose(pair.joint().sum(axis=2), WARD.finding(pair.first).table)
        np.testing.assert_allclose(pair.joint().sum(axis=1), WARD.finding(pair.second).table)


def test_the_members_of_a_pair_come_from_different_modalities() -> None:
    assert all(WARD.finding(pair.first).modality != WARD.finding(pair.second).modality for pair in WARD.pairs)


def test_sampled_frequencies_follow_the_tables() -> None:
    rng, label, draws = np.random.default_rng(1), 3, 3000
    drawn = [sample(WARD, rng, label=label).findings for _ in range(draws)]
    for finding in WARD.findings:
        for value, expected in zip(finding.values, finding.table[label], strict=True):
            seen = sum(findings[finding.name] == value for findings in drawn) / draws
            assert abs(seen - expected) < 5 * np.sqrt(expected * (1 - expected) / draws), (finding.name, value)


def test_sampled_pairs_agree_as_often_as_stated() -> None:
    rng, label, draws = np.random.default_rng(2), 0, 4000
    drawn = [sample(WARD, rng, label=label).findings for _ in range(draws)]
    for pair in WARD.pairs:
        (_, first_a, first_b), (_, second_a, second_b) = (
            WARD.finding(pair.first).values,
            WARD.finding(pair.second).values,
        )
        both = [f for f in drawn if f[pair.first] in {first_a, first_b} and f[pair.second] in {second_a, second_b}]
        agree = sum((f[pair.first] == first_a) == (f[pair.second] == second_a) for f in both) / len(both)
        assert agree == pytest.approx(pair.agreement[label], abs=0.03)


def test_deterioration_is_likelier_with_every_severe_vital_sign(normal: dict[str, str]) -> None:
    calm = WARD.deterioration.probability(normal)
    for name, value in WARD.deterioration.weights:
        assert (WARD.deterioration.probability(normal | {name: value}) > calm).all()
