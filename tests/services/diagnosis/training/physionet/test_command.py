from __future__ import annotations

from services.diagnosis.training.physionet.__main__ import compare


def test_differences_are_paired_by_split() -> None:
    splits = [
        {
            "boosted": {"auroc": 0.80, "auprc": 0.4, "brier": 0.1},
            "encoder": {"auroc": 0.82, "auprc": 0.5, "brier": 0.1},
        },
        {
            "boosted": {"auroc": 0.90, "auprc": 0.6, "brier": 0.1},
            "encoder": {"auroc": 0.91, "auprc": 0.7, "brier": 0.1},
        },
    ]
    found = compare(splits)["encoder"]
    # gains 0.02 and 0.01: mean 0.015, sample deviation 0.01 / sqrt 2
    assert abs(found["gain"] - 0.015) < 1e-9
    assert abs(found["gain_sd"] - 0.01 / 2**0.5) < 1e-9
    assert abs(found["gain_ci"] - 12.706 * 0.005) < 1e-5  # t of one degree of freedom; 0.01 / sqrt 2 / sqrt 2
    assert found["wins"] == 2
