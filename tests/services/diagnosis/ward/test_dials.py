"""The dials turn the kind of finding they name; pure wards have the Shapley values they are made for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.diagnosis.inference.shapley import interaction_indices, shapley_values
from services.diagnosis.ward.dials import Dials, Kind, build_model, dial_ward
from services.diagnosis.ward.information import exact_values
from services.diagnosis.ward.model import MODALITIES, WardModel
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.tables import WARD

OLD = Person(80, "F", 3, "hill")
UNIQUE, REDUNDANT, SYNERGY = (frozenset(names) for names in (
    {f.name for f in WARD.findings} - WARD.paired,
    {name for pair in WARD.overlaps for name in (pair.first, pair.second)},
    {name for pair in WARD.pairs for name in (pair.first, pair.second)},
))  # fmt: skip


def informative(model: WardModel) -> set[str]:
    """Findings whose values, alone or with their pair's other member, differ between diagnoses of one person."""
    alone = {f.name for f in model.findings if np.ptp(f.given([OLD])[0], axis=0).max() > 1e-9}
    together = {
        name
        for pair in model.coupled
        for name in (pair.first, pair.second)
        if np.ptp(pair.joint(), axis=0).max() > 1e-9
    }
    return alone | together


def test_all_dials_at_one_are_the_ward_itself() -> None:
    assert build_model(Dials()) is WARD
    assert informative(WARD) == UNIQUE | REDUNDANT | SYNERGY


@pytest.mark.parametrize(
    ("dials", "expected"),
    [
        (Dials(1, 0, 0), UNIQUE),
        (Dials(0, 1, 0), REDUNDANT),
        (Dials(0, 0, 1), SYNERGY),
        (Dials(0.3, 0, 0), UNIQUE),
        (Dials(0, 0, 0), frozenset()),
    ],
    ids=["unique", "redundant", "synergy", "a little unique", "none"],
)
def test_each_dial_turns_its_own_findings_alone(dials: Dials, expected: frozenset[str]) -> None:
    assert informative(build_model(dials)) == expected


def test_half_a_dial_is_half_the_way_to_the_average() -> None:
    # pneumothorax on the image: average 0.18·0.03 + 0.15·0.02 + 0.08·0.64 + 0.11·0.04 + 0.13·0.08 + 0.10·0.02
    # + 0.11·0.01 + 0.14·0.02 = 0.0803; of pneumothorax itself (0.64 + 0.0803) / 2
    half = build_model(Dials(unique=0.5))
    assert half.finding("pneumothorax").table[2, 1] == pytest.approx(0.36015)
    assert build_model(Dials(synergy=0.5)).pairs[0].agreement[0] == pytest.approx(0.7)  # (0.9 + 0.5) / 2


def test_turned_tables_are_distributions_and_marginals_of_their_pairs() -> None:
    for model in (build_model(Dials(0.4, 0.3, 0.2)), *(dial_ward(k) for k in ("unique", "redundant", "synergy"))):
        for finding in model.findings:
            np.testing.assert_allclose(finding.table.sum(axis=1), 1)
        for pair in model.coupled:
            np.testing.assert_allclose(pair.joint().sum(axis=2), model.finding(pair.first).table)
            np.testing.assert_allclose(pair.joint().sum(axis=1), model.finding(pair.second).table)


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_dial_beyond_its_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="redundant"):
        Dials(redundant=value)


def test_a_turned_ward_knows_no_more_than_it_did() -> None:
    whole, half = exact_values(dial_ward("unique")), exact_values(build_model(Dials(0, 0.5, 0)))
    full = exact_values(build_model(Dials(0, 1, 0)))
    for subset in half:
        assert 0 <= half[subset] <= full[subset] + 1e-12
    assert whole[frozenset(MODALITIES)] > 0.4


def values(kind: Kind) -> dict[frozenset[str], float]:
    return exact_values(dial_ward(kind))


def test_what_is_unique_belongs_to_its_modality() -> None:
    shares = shapley_values(values("unique"), MODALITIES)
    total = sum(shares.values())
    assert shares["image"] >= 0.95 * total > 0.2
    assert max(shares["note"], shares["vitals"]) <= 0.05 * total


def test_unique_information_interacts_with_nothing() -> None:
    interactions = interaction_indices(values("unique"), MODALITIES)
    assert all(abs(index) <= 0.05 * values("unique")[frozenset(MODALITIES)] for index in interactions.values())


def test_synergy_is_the_interaction_of_its_pair() -> None:
    value = values("synergy")
    total, interactions = value[frozenset(MODALITIES)], interaction_indices(value, MODALITIES)
    assert total > 0.1
    assert interactions["image+note"] >= 0.95 * total
    assert max(abs(interactions["image+vitals"]), abs(interactions["note+vitals"])) <= 0.05 * total
    assert max(value[frozenset({modality})] for modality in MODALITIES) <= 0.05 * total
    assert shapley_values(value, MODALITIES)["vitals"] <= 0.05 * total


def test_what_is_redundant_is_worth_the_same_once_and_twice() -> None:
    value = values("redundant")
    once, other, both = (value[frozenset(s)] for s in ({"image"}, {"vitals"}, {"image", "vitals"}))
    assert both > 0.05
    assert once == pytest.approx(both, rel=0.05)
    assert other == pytest.approx(both, rel=0.05)
    assert value[frozenset({"note"})] <= 0.05 * both
    assert interaction_indices(value, MODALITIES)["image+vitals"] == pytest.approx(-both, rel=0.05)


def test_the_redundant_wards_copy_is_one() -> None:
    joint = dial_ward("redundant").overlaps[0].joint()
    assert all(joint[:, i, j].max() < 1e-12 for i, j in itertools.permutations(range(2), 2))
