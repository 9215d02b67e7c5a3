"""What is looked at before a stage starts."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from services.diagnosis.training.checks import require_encoder_files, require_every_class
from services.diagnosis.training.errors import EmptyClass, EncoderFilesMissing, LossNotFinite, TrainingError


def test_an_empty_class_is_named_with_its_split() -> None:
    with pytest.raises(EmptyClass, match=r"the calibration split \(3 cases\) has no case of sepsis"):
        require_every_class(np.array([0, 1, 1]), ("pneumonia", "effusion", "sepsis"), "calibration")


def test_a_split_with_every_class_passes() -> None:
    require_every_class(np.array([2, 0, 1]), ("a", "b", "c"), "train")


def test_missing_encoder_files_are_named_with_their_directory(tmp_path: Path) -> None:
    with pytest.raises(EncoderFilesMissing, match=r"bert: config.json, model.safetensors not found"):
        require_encoder_files(tmp_path / "bert")


def test_a_directory_with_configuration_and_weights_passes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    require_encoder_files(tmp_path)


@pytest.mark.parametrize("error", [EmptyClass("a", "train", 3), LossNotFinite("fusion", 3, float("nan"), 1.5)])
def test_an_error_travels_between_processes(error: TrainingError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert str(again) == str(error)
