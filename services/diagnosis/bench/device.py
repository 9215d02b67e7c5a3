"""Where a measurement runs, in which precision, and how its time and memory are read."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch.utils.benchmark import Timer

from services.diagnosis.bench.errors import NoGpu

Precision = Literal["bf16", "32"]
WARM_UP = 3
DTYPES = {"bf16": torch.bfloat16, "32": torch.float32}


@dataclass(frozen=True)
class Timing:
    """Of one step, run again and again."""

    median_s: float
    blocks: int
    """Of one or more steps each; the median is over these."""


@dataclass(frozen=True)
class Bench:
    """A device and a precision; `seconds` is how long each measurement takes at least."""

    device: torch.device
    precision: Precision
    seconds: float

    @classmethod
    def of(cls, device: str, precision: str, seconds: float) -> Bench:
        """Args: device: auto (a GPU), cuda or cpu; precision: auto (bf16 on a GPU, else 32), bf16 or 32.

        Raises: NoGpu: one was asked for and there is none.
        """
        chosen = torch.device("cpu" if device == "cpu" else "cuda")
        if chosen.type == "cuda" and not torch.cuda.is_available():
            raise NoGpu
        best: Precision = "bf16" if chosen.type == "cuda" else "32"
        return cls(chosen, best if precision == "auto" else precision, seconds)  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """What a reader calls the device."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"processor, {torch.get_num_threads()} threads"

    @property
    def dtype(self) -> torch.dtype:
        return DTYPES[self.precision]

    def autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def time(self, step: Callable[[], object]) -> Timing:
        """The median of a step, warmed up; torch's timer waits for the GPU before it looks at the clock."""
        for _ in range(WARM_UP if self.device.type == "cuda" else 1):
            step()
        timer = Timer("step()", globals={"step": step}, num_threads=torch.get_num_threads())
        measured = timer.blocked_autorange(min_run_time=self.seconds)
        return Timing(float(measured.median), len(measured.times))

    def forget_peak(self) -> None:
        """The next `peak_bytes` of a GPU counts from here."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_bytes(self) -> int:
        """Most memory of the GPU since `forget_peak`; of a processor, most of the whole process so far."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
