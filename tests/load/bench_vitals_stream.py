"""What one more reading and one read-out cost, by length of history; beside encoding the window anew.

`python -m tests.load.bench_vitals_stream`. One thread; medians over 200 readings.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from services.diagnosis.inference.inputs import vitals_inputs
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.preprocessing.vitals import Readings, VitalsScale
from services.diagnosis.model.vitals_encoder import VitalsEncoder
from services.diagnosis.model.vitals_stream import VitalsState

REPEATS = 200


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = ModelConfig()
    encoder = VitalsEncoder(config.dim, config.tokens, config.vitals).eval().requires_grad_(False)
    scale = VitalsScale((80.0,) * 8, (10.0,) * 8)
    for length in (100, 1_000, 5_000):
        rng = np.random.default_rng(length)
        times = np.sort(rng.uniform(0, 90, length))
        variables, values = rng.integers(0, 8, length), rng.normal(80, 10, length)
        state = VitalsState(encoder, scale)
        state.add(times.tolist(), variables.tolist(), values.tolist())
        clock = iter(90 + np.arange(1, 2 * REPEATS + 1) * 0.005)
        add = _median_ms(lambda: state.add([next(clock)], [0], [81.0]))  # noqa: B023
        read = _median_ms(lambda: state.read_out(93.0))  # noqa: B023
        inputs = vitals_inputs(Readings(times - 93, variables, values, 0), scale)
        anew = _median_ms(lambda: encoder(inputs), repeats=10)  # noqa: B023
        sys.stdout.write(f"{length:6} readings: add {add:6.2f} ms, read out {read:6.2f} ms, anew {anew:7.2f} ms\n")


def _median_ms(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Processor time, so that neighbours on the machine do not count."""
    spent = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        spent.append((time.process_time() - started) * 1e3)
    return float(np.median(spent))


if __name__ == "__main__":
    main()
