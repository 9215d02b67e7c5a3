"""Modality dropout covers every pattern of what is there, evenly, and nothing else."""

from __future__ import annotations

from collections import Counter

import torch
from scipy.stats import chisquare

from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.training.subsets import sample_subsets


def test_all_patterns_are_equally_likely_where_all_is_there() -> None:
    available = torch.ones(200 * len(PATTERNS), len(MODALITIES), dtype=torch.bool)
    drawn = Counter(map(tuple, sample_subsets(available, torch.Generator().manual_seed(1)).tolist()))
    assert set(drawn) == {mask_of(pattern) for pattern in PATTERNS}
    assert chisquare(list(drawn.values())).pvalue > 0.001


def test_what_is_absent_is_never_asked_about() -> None:
    available = torch.zeros(300, len(MODALITIES), dtype=torch.bool)
    available[:, [0, 2]] = True
    drawn = Counter(map(tuple, sample_subsets(available, torch.Generator().manual_seed(1)).tolist()))
    assert set(drawn) == {mask_of(p) for p in (MODALITIES[0], MODALITIES[2], f"{MODALITIES[0]}+{MODALITIES[2]}")}
    assert chisquare(list(drawn.values())).pvalue > 0.001
