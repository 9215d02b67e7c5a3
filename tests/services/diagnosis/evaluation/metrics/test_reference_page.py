"""docs/reference/metrics.md names every field that these modules write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from services.diagnosis.evaluation.metrics.availability import evaluate_availability
from services.diagnosis.evaluation.metrics.missingness import missing
from services.diagnosis.evaluation.metrics.patterns import evaluate_pattern
from services.diagnosis.evaluation.metrics.shares import modality_shares
from services.diagnosis.evaluation.metrics.subgroups import evaluate_subgroups
from tests.services.diagnosis.evaluation.metrics.tables import calibrated
from tests.support.common import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "reference" / "metrics.md").read_text()
NAMED = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", PAGE))))
KEYS = re.compile(r"image|note|vitals|tabular|[FM]|[012]|0\.\d|sex")
"""Keys that are values: modalities, groups, classes, rates."""


def fields(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not all(KEYS.fullmatch(part) for part in key.split("+")):
                yield key
            yield from fields(item)
    if isinstance(value, list):
        for item in value:
            yield from fields(item)


def test_every_field_is_on_the_page() -> None:
    table = calibrated(150)
    table.subgroups["sex"] = np.random.default_rng(0).choice(["F", "M"], 150)  # type: ignore[index]
    written = [
        evaluate_pattern(table, "image+note", resamples=10),
        evaluate_subgroups(table, "image+note", resamples=10),
        modality_shares(table, resamples=10),
        evaluate_availability(table, resamples=10),
        missing(table, resamples=10),
    ]
    found = set(fields(written))
    assert {"macro_auroc", "max_tpr_gap_groups", "utilisation", "beyond_interval", "relative_robustness"} <= found
    assert found - NAMED == set()
