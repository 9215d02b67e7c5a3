"""Steps of the network against the matrix rate of the same device in the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from services.diagnosis.bench.device import Bench
from services.diagnosis.bench.errors import BatchTooLarge
from services.diagnosis.bench.matrix import MatrixRate, measure_matrices
from services.diagnosis.bench.workload import Part, draw_inputs, parts_of
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.network import ConsiliumNetwork, parameter_count

Mode = Literal["train", "infer"]
MODES: tuple[Mode, ...] = ("train", "infer")


@dataclass(frozen=True)
class Row:
    """One part in one mode: forward and backward without the optimiser, or forward alone."""

    part: str
    mode: Mode
    parameters: int
    cases_per_s: float
    median_s: float
    blocks: int
    flops: int
    """Of one step: matrix products, convolutions and attention, as `FlopCounterMode` counts them."""
    teraflops_per_s: float
    share: float
    """Of the best matrix rate of the same run."""
    peak_bytes: int


@dataclass(frozen=True)
class Measured:
    """A whole run."""

    matrices: tuple[MatrixRate, ...]
    rows: tuple[Row, ...]


def measure(
    bench: Bench,
    config: ModelConfig,
    batch_size: int,
    *,
    sizes: Sequence[int] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Matrices, then every part in both modes.

    Args:
        sizes: of the matrices; default: some for the device.
        on_step: told what is measured next.

    Raises: BatchTooLarge.
    """
    torch.manual_seed(0)
    on_step("matrix products")
    matrices = measure_matrices(bench, sizes)
    best = max(rate.teraflops_per_s for rate in matrices)
    network = ConsiliumNetwork(config).to(bench.device)
    rows = []
    for part in parts_of(network, draw_inputs(config, batch_size, bench.device)):
        for mode in MODES:
            on_step(f"{part.name}, {mode}")
            rows.append(_measure(bench, part, mode, batch_size, best))
    return Measured(tuple(matrices), tuple(rows))


def _measure(bench: Bench, part: Part, mode: Mode, batch_size: int, best: float) -> Row:
    step = _step(bench, part, mode)
    bench.forget_peak()
    try:
        with FlopCounterMode(display=False) as counter:
            step()
        timing = bench.time(step)
    except torch.OutOfMemoryError as error:
        raise BatchTooLarge(part.name, batch_size) from error
    flops = int(counter.get_total_flops())
    rate = flops / timing.median_s / 1e12
    return Row(
        part=part.name,
        mode=mode,
        parameters=parameter_count(part.module),
        cases_per_s=batch_size / timing.median_s,
        median_s=timing.median_s,
        blocks=timing.blocks,
        flops=flops,
        teraflops_per_s=rate,
        share=rate / best,
        peak_bytes=bench.peak_bytes(),
    )


def _step(bench: Bench, part: Part, mode: Mode) -> Callable[[], None]:
    part.module.train(mode == "train").requires_grad_(mode == "train")

    def train() -> None:
        part.module.zero_grad(set_to_none=True)
        with bench.autocast():
            loss = part.forward()
        loss.backward()  # type: ignore[no-untyped-call]

    def infer() -> None:
        with torch.no_grad(), bench.autocast():
            part.forward()

    return train if mode == "train" else infer
