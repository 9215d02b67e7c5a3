from __future__ import annotations

import pytest
import torch

from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.model.modalities import PATTERNS
from services.diagnosis.training.calibrate import fit_calibrator
from services.diagnosis.training.metrics import expected_calibration_error

N = 2000


def draw(seed: int) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Truth drawn from softmax(z), logits reported as 3 z: overconfident by a known temperature of 3."""
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(1, N, 9, generator=rng)
    labels = torch.multinomial(z[0, :, :8].softmax(-1), 1, generator=rng)[:, 0]
    worse = (torch.rand(N, generator=rng) < z[0, :, 8].sigmoid()).float()
    return dict.fromkeys(PATTERNS, 3 * z), labels, worse


@pytest.fixture(scope="module")
def calibrator() -> Calibrator:
    return fit_calibrator(*draw(0))


def test_the_known_temperature_is_found(calibrator: Calibrator) -> None:
    torch.testing.assert_close(calibrator.temperatures.mean(), torch.tensor(3.0, dtype=torch.float64), atol=0.3, rtol=0)


def test_an_overconfident_model_becomes_honest(calibrator: Calibrator) -> None:
    logits, labels, _ = draw(1)
    rows = torch.full((N,), PATTERNS.index("image+note"))
    after = calibrator.probabilities(logits["image+note"], rows)[:, :8].numpy()
    before = logits["image+note"][0, :, :8].softmax(-1).double().numpy()
    assert expected_calibration_error(before, labels.numpy()) > 0.2
    assert expected_calibration_error(after, labels.numpy()) < 0.035


def test_without_evidence_of_miscalibration_nothing_is_changed() -> None:
    logits, labels, worse = draw(0)
    honest = {pattern: value / 3 for pattern, value in logits.items()}
    unchanged = fit_calibrator(honest, labels, worse)
    assert float((unchanged.temperatures - 1).abs().max()) < 0.25


def test_diagnoses_sum_to_one_and_risks_stand_alone(calibrator: Calibrator) -> None:
    probabilities = calibrator.probabilities(draw(1)[0]["note"], torch.full((N,), PATTERNS.index("note")))
    torch.testing.assert_close(probabilities[:, :8].sum(-1), torch.ones(N, dtype=torch.float64))
    assert bool(((probabilities[:, 8] > 0) & (probabilities[:, 8] < 1)).all())


def test_a_calibrator_survives_json(calibrator: Calibrator) -> None:
    again = Calibrator.from_json(calibrator.to_json())
    assert torch.equal(again.temperatures, calibrator.temperatures)
    assert again.counts == calibrator.counts
