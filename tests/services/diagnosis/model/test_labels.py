"""The diagnoses that a bundle tells apart are its own: another task needs no other code."""

from __future__ import annotations

import json
from dataclasses import replace

import torch

from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import PATTERNS, columns_of
from shared.codes import COVID_19_PNEUMONIA, DIAGNOSES, NO_ACUTE_DISEASE, PNEUMONIA

CONFIG = replace(
    ModelConfig(), labels=(NO_ACUTE_DISEASE, PNEUMONIA, COVID_19_PNEUMONIA), deterioration=False, severity=False
)


def test_labels_and_tasks_survive_json() -> None:
    read = ModelConfig.from_json(json.loads(json.dumps(CONFIG.to_json())))
    assert (read, read.logits, [task.name for task in read.tasks]) == (CONFIG, 3, ["diagnosis"])


def test_the_demo_has_its_diagnoses_the_risk_of_deterioration_and_two_steps_of_severity() -> None:
    assert (ModelConfig().labels, ModelConfig().logits) == (DIAGNOSES, len(DIAGNOSES) + 1 + 2)
    columns = columns_of(ModelConfig().tasks)
    assert columns == {"diagnosis": slice(0, 8), "deterioration24h": slice(8, 9), "severity": slice(9, 11)}


def test_a_bundle_made_before_there_was_a_severity_is_not_asked_for_it() -> None:
    value = ModelConfig().to_json()
    del value["severity"]
    assert [task.name for task in ModelConfig.from_json(value).tasks] == ["diagnosis", "deterioration24h"]


def test_severity_is_asked_for_without_deterioration_too() -> None:
    config = replace(CONFIG, severity=True)
    assert [task.name for task in config.tasks] == ["diagnosis", "severity"]
    assert columns_of(config.tasks)["severity"] == slice(3, 5)


def test_a_bundle_without_deterioration_is_calibrated_as_diagnoses_alone() -> None:
    ones = torch.ones(len(PATTERNS), 3, dtype=torch.float64)
    counts = dict.fromkeys(PATTERNS, 10)
    classes = dict.fromkeys(PATTERNS, (3, 3, 4))
    calibrator = Calibrator(ones, ones * 0, counts, classes, tasks=CONFIG.tasks)
    read = Calibrator.from_json(json.loads(json.dumps(calibrator.to_json())))
    logits = torch.tensor([[[0.0, 0.0, torch.log(torch.tensor(2.0))]]])
    # odds 1 : 1 : 2
    expected = torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(read.probabilities(logits, torch.tensor([0])), expected)
