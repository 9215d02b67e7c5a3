"""Information by going through every combination, by drawing patients, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.ward import oracle
from services.diagnosis.ward.dials import Dials, build_model, dial_ward
from services.diagnosis.ward.information import (
    TooManyCells,
    estimated_information,
    exact_values,
    information,
)
from services.diagnosis.ward.model import Deterioration, Finding, RedundantPair, Severity, SynergyPair, WardModel
from services.diagnosis.ward.population import Population
from services.diagnosis.ward.sampling import sample_many
from services.diagnosis.ward.tables import WARD

BIT = np.log(2)


def two_diagnoses(*findings: Finding, **pairs: tuple[SynergyPair, ...] | tuple[RedundantPair, ...]) -> WardModel:
    return WardModel(
        prior=np.array([0.5, 0.5]),
        findings=findings,
        pairs=pairs.get("pairs", ()),  # type: ignore[arg-type]
        deterioration=Deterioration(np.zeros(2), {}),
        severity=Severity(np.zeros((2, 2)), {}),
        overlaps=pairs.get("overlaps", ()),  # type: ignore[arg-type]
    )


def test_a_sign_that_never_errs_is_worth_one_bit() -> None:
    sign = Finding("sign", "image", ("absent", "present"), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert information(two_diagnoses(sign), ("image",)) == pytest.approx(BIT)
    assert information(two_diagnoses(sign), ("note", "vitals")) == 0


def test_a_noisy_sign_by_hand() -> None:
    # binary symmetric channel with error 0.1: 1 bit - H(0.1) = 1 - 0.468996 bit
    sign = Finding("sign", "image", ("absent", "present"), np.array([[0.9, 0.1], [0.1, 0.9]]))
    assert information(two_diagnoses(sign), ("image",)) == pytest.approx((1 - 0.468996) * BIT, abs=1e-6)


def test_an_exclusive_or_is_worth_a_bit_together_and_nothing_alone() -> None:
    member = np.tile([0.0, 0.5, 0.5], (2, 1))
    model = two_diagnoses(
        Finding("band", "image", ("absent", "a", "b"), member),
        Finding("pain", "note", ("absent", "a", "b"), member),
        pairs=(SynergyPair("band", "pain", (1.0, 1.0), np.array([1.0, 0.0])),),
    )
    value = exact_values(model)
    assert value[frozenset({"image", "note"})] == pytest.approx(BIT)
    assert value[frozenset({"image"})] == pytest.approx(0)
    assert value[frozenset({"note"})] == pytest.approx(0)


@pytest.mark.parametrize("kind", ["unique", "redundant", "synergy"])
def test_drawn_patients_give_what_going_through_all_gives(kind: str) -> None:
    model = dial_ward(kind)
    drawn = estimated_information(model, sample_many(model, Population(), 20_000, np.random.default_rng(1)))
    for subset, exact in exact_values(model).items():
        assert abs(drawn[subset].value - exact) <= 4.5 * drawn[subset].error + 1e-9, subset


def test_the_whole_ward_has_too_many_combinations_and_is_drawn() -> None:
    with pytest.raises(TooManyCells, match="note"):
        information(WARD, ("note",))
    draws = sample_many(WARD, Population(), 4000, np.random.default_rng(2))
    drawn = estimated_information(WARD, draws)
    posterior = oracle.evidence(WARD, draws.values, draws.persons).posterior(("image", "note", "vitals"))
    loss = -np.log(posterior[np.arange(4000), draws.labels]).mean()
    blind = -np.log(WARD.prior_given(draws.persons)[np.arange(4000), draws.labels]).mean()
    assert drawn[frozenset({"image", "note", "vitals"})].value == pytest.approx(blind - loss)


def test_with_all_dials_down_the_findings_say_nothing() -> None:
    assert max(exact_values(build_model(Dials(0, 0, 0))).values()) == pytest.approx(0, abs=1e-12)
