"""Device, precision and processes of one stage, through Hugging Face Accelerate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from accelerate.utils import gather_object
from torch import Tensor, nn

from services.diagnosis.training.loop.objective import Indices
from services.diagnosis.training.loop.session import Session
from services.diagnosis.training.precision import is_cpu, require_precision

MIXED = {"32": "no", "bf16-mixed": "bf16", "16-mixed": "fp16"}


class Runtime:
    """One stage's view of the machine. Under torchrun every process holds one, and each takes its share of a batch."""

    def __init__(self, session: Session) -> None:
        require_precision(session.precision, session.device)
        # Accelerate keeps one state per process and refuses another precision; every stage may choose its own.
        AcceleratorState._reset_state()
        self._accelerator = Accelerator(
            cpu=is_cpu(session.device),
            mixed_precision=MIXED[session.precision],
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes
        self.device: torch.device = self._accelerator.device

    def prepare(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, Any]:
        """The module on its device, autocasting, its gradients averaged over the processes; the optimiser to match."""
        ready, stepping = self._accelerator.prepare(module, optimizer)
        return cast(nn.Module, ready), stepping

    def release(self, ready: nn.Module) -> nn.Module:
        """The bare module, back in main memory."""
        return cast(nn.Module, self._accelerator.unwrap_model(ready, keep_fp32_wrapper=False)).cpu()

    @property
    def scaler(self) -> Any:
        """The gradient scaler of 16-mixed, else None."""
        return self._accelerator.scaler

    def share(self, rows: Indices) -> Indices:
        """This process's rows of a batch; all processes get as many, so that the mean of their means is the mean."""
        each = max(1, len(rows) // self.world)
        return rows[self.rank * each : (self.rank + 1) * each] if each * self.world <= len(rows) else rows

    def gradients(self, loss: Tensor | None, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
        """Of one term, averaged over the processes, on the same scale as those that `backward` leaves.

        `loss` None: this process has nothing to say of them.
        """
        found: Sequence[Tensor | None] = [None] * len(parameters)
        if loss is not None:
            scaled = loss if self.scaler is None else self.scaler.scale(loss)
            found = torch.autograd.grad(scaled, parameters, retain_graph=True, allow_unused=True)
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
        if self.world == 1:
            return filled
        flat = self._accelerator.reduce(torch.cat([g.flatten() for g in filled]), reduction="mean")
        parts = torch.split(flat, [p.numel() for p in parameters])
        return [part.view_as(p) for part, p in zip(parts, parameters, strict=True)]

    def backward(self, loss: Tensor) -> None:
        self._accelerator.backward(loss)

    def clip(self, parameters: Sequence[nn.Parameter], norm: float) -> float:
        """Returns: the norm before clipping."""
        before = self._accelerator.clip_grad_norm_(parameters, norm)
        return float(before)

    def skipped(self) -> bool:
        """Whether the scaler left the last step out because the gradients overflowed."""
        return bool(self._accelerator.optimizer_step_was_skipped)

    def mean(self, value: float) -> float:
        """Over the processes."""
        if self.world == 1:
            return value
        return float(self._accelerator.reduce(torch.tensor(value, device=self.device), reduction="mean"))

    def agree(self, wish: bool) -> bool:
        """What the first process wishes, told to all."""
        if self.world == 1:
            return wish
        told = torch.tensor(int(wish and self.rank == 0), device=self.device)
        return bool(self._accelerator.reduce(told, reduction="sum"))

    def gather(self, value: Any) -> list[Any]:
        """One value of each process, in the order of their ranks."""
        return [value] if self.world == 1 else cast(list[Any], gather_object([value]))

    def wait(self) -> None:
        """Until all processes are here."""
        self._accelerator.wait_for_everyone()
