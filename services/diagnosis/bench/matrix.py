"""The device's own rate: what it reaches in nothing but matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from services.diagnosis.bench.device import Bench

SIZES = {"cuda": (1024, 2048, 4096, 8192, 16384), "cpu": (256, 512, 1024, 2048)}


@dataclass(frozen=True)
class MatrixRate:
    """Of the product of two square matrices."""

    size: int
    teraflops_per_s: float
    median_s: float


def measure_matrices(bench: Bench, sizes: Sequence[int] | None = None) -> list[MatrixRate]:
    """One rate per size; the largest of them is what the network's steps are held against."""
    return [_measure(bench, size) for size in sizes or SIZES[bench.device.type]]


def _measure(bench: Bench, size: int) -> MatrixRate:
    first, second = (torch.randn(size, size, device=bench.device).to(bench.dtype) for _ in range(2))
    out = torch.empty_like(first)
    median_s = bench.time(lambda: torch.matmul(first, second, out=out)).median_s
    return MatrixRate(size, 2 * size**3 / median_s / 1e12, median_s)
