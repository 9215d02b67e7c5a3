"""What was measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from services.diagnosis.bench.device import Bench
from services.diagnosis.bench.measure import Measured

SCHEMA = "consilium-bench-gpu/1"


def as_json(measured: Measured, bench: Bench, *, recipe: str, batch_size: int) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "device": bench.name,
        "kind": bench.device.type,
        "precision": bench.precision,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "recipe": recipe,
        "batchSize": batch_size,
        "seconds": bench.seconds,
        **asdict(measured),
    }


def print_tables(measured: Measured, bench: Bench, console: Console, *, recipe: str, batch_size: int) -> None:
    console.print(f"{bench.name}, precision {bench.precision}, torch {torch.__version__}", highlight=False)
    matrices = Table("matrix product", title="The device's own rate")
    rates = []
    for rate in measured.matrices:
        matrices.add_column(f"{rate.size}²", justify="right")
        rates.append(f"{rate.teraflops_per_s:.3g}")
    matrices.add_row("TFLOP/s", *rates)
    console.print(matrices)
    told = "share: of the best matrix product above; train: forward and backward"
    table = Table(title=f"Recipe {recipe}, batches of {batch_size}", caption=told)
    for name in ("part", "M", "mode", "cases/s", "ms", "TFLOP/s", "share", "GiB"):
        table.add_column(name, justify="left" if name in ("part", "mode") else "right", no_wrap=True)
    for row in measured.rows:
        table.add_row(
            row.part,
            f"{row.parameters / 1e6:.2f}",
            row.mode,
            f"{row.cases_per_s:,.1f}",
            f"{row.median_s * 1e3:,.1f}",
            f"{row.teraflops_per_s:.3g}",
            f"{row.share:.0%}",
            f"{row.peak_bytes / 2**30:.2f}",
        )
    console.print(table)
