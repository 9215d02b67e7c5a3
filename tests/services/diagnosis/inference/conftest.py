"""The shipped bundle, loaded once, and patients of a ward it has never seen."""

from __future__ import annotations

import pytest

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.case import CaseInput, Truth
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.ward.generate import iter_cases

WARD_SEED = 424242


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return Predictor.load(DEMO_BUNDLE)


@pytest.fixture(scope="session")
def patients() -> list[tuple[CaseInput, Truth]]:
    return list(iter_cases(WARD_SEED, 0, 12, side=512))


@pytest.fixture(scope="session")
def case(predictor: Predictor, patients: list[tuple[CaseInput, Truth]]) -> CaseInput:
    """The first patient all of whose modalities are used."""
    for candidate, _ in patients:
        if all(outcome.used for outcome in predictor.predict(candidate).modalities.values()):
            return candidate
    raise AssertionError("every patient of the ward was rejected")
