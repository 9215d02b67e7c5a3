from __future__ import annotations

import math

import pytest
import torch

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded
from services.diagnosis.training.cohort import Cohort, draw_partial
from services.diagnosis.training.pretrain import (
    UNTOLD,
    FindingTargets,
    Pretraining,
    PretrainingHeads,
    targets_of,
)


def _plan(*, soft: bool) -> Pretraining:
    return Pretraining("note", 1, 2, 1e-3, None, lambda inputs, _: inputs, 0, soft)


def test_soft_targets_are_the_posteriors_of_the_encoders_own_modality() -> None:
    cohort = draw_partial("note", 9, 0, 2)
    soft, hard = targets_of(cohort, _plan(soft=True)), targets_of(cohort, _plan(soft=False))
    assert set(soft) == set(hard) == {"diagnosis", "deterioration24h", "severity"}
    for place, record in enumerate(cohort.records):
        assert soft["diagnosis"][place].tolist() == pytest.approx(record.posterior["note"], abs=1e-6)
        assert soft["severity"][place].tolist() == pytest.approx(record.severity_beliefs["note"], abs=1e-6)
    assert hard["diagnosis"].tolist() == [record.label for record in cohort.records]
    assert hard["severity"].tolist() == [record.severity for record in cohort.records]


def test_findings_that_nobody_can_know_are_not_asked_for() -> None:
    findings = FindingTargets(("fever",), (("unmentioned", "asserted"),), torch.tensor([[UNTOLD], [1]]))
    heads = PretrainingHeads(ModelConfig(), findings, 0)
    for parameter in heads.findings.parameters():
        torch.nn.init.zeros_(parameter)
    encoded = Encoded(torch.randn(2, 8, 64), torch.randn(2, 64))
    assert heads.finding_loss(encoded, findings.targets).item() == pytest.approx(math.log(2))
    assert heads.finding_loss(encoded, torch.full((2, 1), UNTOLD)).item() == 0.0


def test_a_fragment_tells_only_what_it_states() -> None:
    cohort = draw_partial("note", 9, 0, 40, fragments=1.0)
    targets = FindingTargets.of(Cohort(cohort.records), {"fever": ("unmentioned", "asserted", "uncertain", "negated")})
    told = {index for index, record in enumerate(cohort.records) if any(span[2] == "fever" for span in record.spans)}
    assert {int(row) for row in (targets.targets[:, 0] != UNTOLD).nonzero()[:, 0]} == told
    assert 0 < len(told) < 40
