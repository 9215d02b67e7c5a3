"""What is answered beside the diagnosis goes by the bundle's tasks, whichever of them it has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from services.diagnosis.inference.decision import decide
from services.diagnosis.inference.prediction import Level, ModalityOutcome, OrdinalRisk, Prediction, Risk
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.results import Spent, compose
from services.diagnosis.snapshot import Manifest
from shared.codes import SEVERITIES

DIAGNOSES = np.full((5, 8), 1 / 8)
WORSE = np.full((5, 1), 0.3)
BEYOND = np.tile([0.6, 0.2], (5, 1)) + np.linspace(-0.05, 0.05, 5)[:, None]
"""P(severity > j) of five members."""


def answered(predictor: Predictor, *, deterioration: bool, severity: bool) -> Prediction:
    """The note alone, asked of a bundle with these tasks."""
    config = replace(predictor.contents.config, deterioration=deterioration, severity=severity)
    parts = [DIAGNOSES, *([WORSE] if deterioration else []), *([BEYOND] if severity else [])]
    used = {"note": ModalityOutcome(True, ("n-1",), {}, 0.1, False)}
    contents = replace(predictor.contents, config=config)
    return decide(predictor.bundle, contents, used, {"note": np.concatenate(parts, axis=1)})


@pytest.mark.parametrize("deterioration", [True, False])
@pytest.mark.parametrize("severity", [True, False])
def test_a_bundle_answers_the_tasks_it_has(predictor: Predictor, deterioration: bool, severity: bool) -> None:
    risks = answered(predictor, deterioration=deterioration, severity=severity).risks
    names = [("deterioration24h", deterioration), ("severity", severity)]
    assert list(risks) == [name for name, asked in names if asked]
    if deterioration:
        worse = risks["deterioration24h"]
        assert isinstance(worse, Risk)
        assert worse.probability == pytest.approx(0.3)
    if severity:
        levels = _levels(risks["severity"])
        assert [level.coding for level in levels] == list(SEVERITIES)
        assert [level.probability for level in levels] == pytest.approx([0.4, 0.4, 0.2])
        assert all(level.interval[0] < level.probability < level.interval[1] for level in levels)


def test_the_result_tells_levels_in_snomed_ct_that_sum_to_one(predictor: Predictor) -> None:
    prediction = answered(predictor, deterioration=True, severity=True)
    nothing = Manifest("P-1", datetime(2026, 1, 1, tzinfo=UTC), (), (), {}, ())
    result = compose("job", "P-1", nothing, predictor.bundle, prediction, Spent(1.0, 1.0, 3.0))
    risks = result.model_dump(mode="json", by_alias=True)["risks"]
    assert set(risks["deterioration24h"]) == {"probability", "interval"}
    levels = risks["severity"]["levels"]
    assert [level["code"]["code"] for level in levels] == ["255604002", "6736007", "24484000"]
    assert sum(level["probability"] for level in levels) == pytest.approx(1)
    assert type(result).model_validate(result.model_dump()) == result


def test_the_shipped_bundle_answers_three_questions(predictor: Predictor) -> None:
    assert [task.name for task in predictor.contents.config.tasks] == ["diagnosis", "deterioration24h", "severity"]
    assert predictor.contents.calibrator.tasks == predictor.contents.config.tasks


def _levels(risk: Risk | OrdinalRisk) -> tuple[Level, ...]:
    assert isinstance(risk, OrdinalRisk)
    return risk.levels
