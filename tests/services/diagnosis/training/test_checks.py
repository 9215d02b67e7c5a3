"""What is looked at before a stage starts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from services.diagnosis.training.checks import require_every_class
from services.diagnosis.training.errors import EmptyClass, LossNotFinite, TrainingError


def test_an_empty_class_is_named_with_its_split() -> None:
    with pytest.raises(EmptyClass, match=r"the calibration split \(3 cases\) has no case of sepsis"):
        require_every_class(np.array([0, 1, 1]), ("pneumonia", "effusion", "sepsis"), "calibration")


def test_a_split_with_every_class_passes() -> None:
    require_every_class(np.array([2, 0, 1]), ("a", "b", "c"), "train")


@pytest.mark.parametrize("error", [EmptyClass("a", "train", 3), LossNotFinite("fusion", 3, float("nan"), 1.5)])
def test_an_error_travels_between_processes(error: TrainingError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert str(again) == str(error)
