from __future__ import annotations

import pytest
import torch

from services.diagnosis.evaluation.baselines.features import Examples
from services.diagnosis.evaluation.baselines.suite import BaselineSuite, fit_baselines
from tests.services.diagnosis.evaluation.baselines.problems import QUICK, redundant, synergy, unique


def fitted(train: Examples, held_out: Examples, *, processes: int = 2, seed: int = 1) -> BaselineSuite:
    torch.set_num_threads(1)
    return fit_baselines(
        train.features,
        train.labels,
        held_out.features,
        held_out.labels,
        classes=train.classes,
        seed=seed,
        budget=QUICK,
        processes=processes,
    )


@pytest.fixture(scope="session")
def of_unique() -> BaselineSuite:
    return fitted(unique(600, 1), unique(300, 2))


@pytest.fixture(scope="session")
def of_redundant() -> BaselineSuite:
    return fitted(redundant(600, 1, offset=3.0), redundant(300, 2, offset=3.0))


@pytest.fixture(scope="session")
def of_synergy() -> BaselineSuite:
    return fitted(synergy(600, 1), synergy(300, 2))
