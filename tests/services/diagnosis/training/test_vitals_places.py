from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from services.diagnosis.model.preprocessing.vitals import CODES, Readings
from services.diagnosis.training.augment import thin_vitals
from services.diagnosis.training.batches import reading_places
from shared.codes import BODY_TEMPERATURE, HEART_RATE


def test_a_reading_belongs_to_the_window_of_its_own_sign() -> None:
    temperature, heart_rate = CODES.index(BODY_TEMPERATURE.code), CODES.index(HEART_RATE.code)
    readings = Readings(
        np.array([-30.0, -20.0, -10.0]),
        np.array([temperature, heart_rate, temperature]),
        np.array([36.6, 80.0, 39.0]),
        0,
    )
    windows = ((BODY_TEMPERATURE.code, -25.0, 0.0, "fever_curve"),)
    record = cast(Any, SimpleNamespace(readings=readings, windows=windows))
    assert reading_places(record, ("tachycardia", "fever_curve")).tolist() == [0, 0, 2]


def test_thinning_knows_any_number_of_variables_and_leaves_no_case_empty() -> None:
    rng = torch.Generator().manual_seed(0)
    inputs = {
        "times_h": -72 * torch.rand(50, 30, generator=rng),
        "variables": torch.randint(0, 44, (50, 30), generator=rng),
        "mask": torch.ones(50, 30, dtype=torch.bool),
    }
    thinned = thin_vitals(inputs, rng)
    assert bool(thinned["mask"].any(1).all())
    assert 0.2 < float(thinned["mask"].float().mean()) < 0.9
