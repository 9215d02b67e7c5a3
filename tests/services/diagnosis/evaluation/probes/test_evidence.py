from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.evaluation.probes.evidence import bayes_factors, supporting
from services.diagnosis.ward.tables import WARD

NORMAL = {finding.name: finding.values[0] for finding in WARD.findings}
PNEUMONIA, PNEUMOTHORAX = 0, 2


def by_hand(label: int, likelihood: list[float]) -> float:
    prior = WARD.prior
    others = [k for k in range(len(prior)) if k != label]
    mean = sum(prior[k] * likelihood[k] for k in others) / sum(prior[k] for k in others)
    return float(np.log(likelihood[label] / mean))


def test_a_factor_is_the_value_s_likelihood_against_the_other_labels() -> None:
    factors = bayes_factors(WARD, {**NORMAL, "pneumothorax": "present"}, ("image",), PNEUMOTHORAX)
    written_down = [0.03, 0.02, 0.64, 0.04, 0.08, 0.02, 0.01, 0.02]
    assert factors["pneumothorax"] == pytest.approx(by_hand(PNEUMOTHORAX, written_down))
    assert factors["pneumothorax"] > 2.5


def test_a_finding_speaks_for_one_label_and_against_another() -> None:
    findings = {**NORMAL, "pneumothorax": "present"}
    assert "pneumothorax" in supporting(WARD, findings, ("image",), PNEUMOTHORAX)
    assert "pneumothorax" not in supporting(WARD, findings, ("image",), PNEUMONIA)


def test_members_of_a_synergy_pair_say_nothing_alone_and_agreement_decides_together() -> None:
    pair = WARD.pairs[0]
    values = {pair.first: WARD.finding(pair.first).values[1], pair.second: WARD.finding(pair.second).values[1]}
    findings = {**NORMAL, **values}
    first, second = WARD.finding(pair.first).modality, WARD.finding(pair.second).modality
    alone = bayes_factors(WARD, findings, (first,), PNEUMONIA)
    both = bayes_factors(WARD, findings, (first, second), PNEUMONIA)
    assert alone[pair.first] == pytest.approx(0)
    # Presence and which value cancel; what is left is p(agree | y).
    assert both[pair.first] == both[pair.second] == pytest.approx(by_hand(PNEUMONIA, pair.agreement.tolist()))
