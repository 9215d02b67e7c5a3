from __future__ import annotations

import pytest
import torch

from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.model.config import tasks_of
from services.diagnosis.model.modalities import PATTERNS
from services.diagnosis.model.tasks import level_probabilities
from services.diagnosis.training.calibrate import fit_calibrator
from services.diagnosis.training.metrics import expected_calibration_error

N = 2000
TASKS = tasks_of(8, deterioration=True, severity=True)
Targets = dict[str, torch.Tensor]


def draw(seed: int) -> tuple[dict[str, torch.Tensor], Targets]:
    """Truth drawn from softmax(z) or step by step, logits reported as 3 z: overconfident by a temperature of 3."""
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(1, N, 11, generator=rng)
    labels = torch.multinomial(z[0, :, :8].softmax(-1), 1, generator=rng)[:, 0]
    worse = (torch.rand(N, generator=rng) < z[0, :, 8].sigmoid()).float()
    beyond = torch.rand(N, 2, generator=rng) < z[0, :, 9:].sigmoid()
    level = beyond.long().cumprod(-1).sum(-1)
    level[::10] = -1  # nobody knows
    return dict.fromkeys(PATTERNS, 3 * z), {"diagnosis": labels, "deterioration24h": worse, "severity": level}


@pytest.fixture(scope="module")
def calibrator() -> Calibrator:
    logits, targets = draw(0)
    return fit_calibrator(logits, TASKS, targets)


def test_the_known_temperature_is_found(calibrator: Calibrator) -> None:
    torch.testing.assert_close(calibrator.temperatures.mean(), torch.tensor(3.0, dtype=torch.float64), atol=0.3, rtol=0)


def test_an_overconfident_model_becomes_honest(calibrator: Calibrator) -> None:
    logits, targets = draw(1)
    rows = torch.full((N,), PATTERNS.index("image+note"))
    after = calibrator.probabilities(logits["image+note"], rows)[:, :8].numpy()
    before = logits["image+note"][0, :, :8].softmax(-1).double().numpy()
    assert expected_calibration_error(before, targets["diagnosis"].numpy()) > 0.2
    assert expected_calibration_error(after, targets["diagnosis"].numpy()) < 0.04


def test_without_evidence_of_miscalibration_nothing_is_changed() -> None:
    logits, targets = draw(0)
    honest = {pattern: value / 3 for pattern, value in logits.items()}
    unchanged = fit_calibrator(honest, TASKS, targets)
    assert float((unchanged.temperatures - 1).abs().max()) < 0.25


def test_diagnoses_sum_to_one_and_risks_stand_alone(calibrator: Calibrator) -> None:
    probabilities = calibrator.probabilities(draw(1)[0]["note"], torch.full((N,), PATTERNS.index("note")))
    torch.testing.assert_close(probabilities[:, :8].sum(-1), torch.ones(N, dtype=torch.float64))
    assert bool(((probabilities[:, 8] > 0) & (probabilities[:, 8] < 1)).all())


def test_each_step_of_the_severity_has_its_known_temperature(calibrator: Calibrator) -> None:
    torch.testing.assert_close(
        calibrator.temperatures[:, 9:].mean(0), torch.full((2,), 3.0, dtype=torch.float64), atol=0.5, rtol=0
    )


def test_calibrated_levels_are_as_frequent_as_they_say(calibrator: Calibrator) -> None:
    logits, targets = draw(2)
    told = calibrator.probabilities(logits["note"], torch.full((N,), PATTERNS.index("note")))[:, 9:]
    levels = level_probabilities(told)
    torch.testing.assert_close(levels.sum(-1), torch.ones(N, dtype=torch.float64))
    known = targets["severity"] >= 0
    for level in range(3):
        sure = known & (levels[:, level] > 0.6)
        assert (targets["severity"][sure] == level).double().mean().item() == pytest.approx(
            levels[sure, level].mean().item(), abs=0.1
        )


def test_a_task_whose_answers_nobody_knows_is_left_as_it_is() -> None:
    logits, targets = draw(0)
    del targets["severity"]
    found = fit_calibrator(logits, TASKS, targets)
    torch.testing.assert_close(found.shifts[:, 9:], torch.zeros(len(PATTERNS), 2, dtype=torch.float64))
    assert found.tasks == TASKS


def test_a_calibrator_survives_json(calibrator: Calibrator) -> None:
    again = Calibrator.from_json(calibrator.to_json())
    assert torch.equal(again.temperatures, calibrator.temperatures)
    assert again.counts == calibrator.counts
