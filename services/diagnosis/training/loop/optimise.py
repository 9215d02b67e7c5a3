"""The loop itself, and the state that a checkpoint holds of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch
from torch import nn

from services.diagnosis.training.errors import CheckpointUnusable, LossNotFinite, OutOfMemory
from services.diagnosis.training.loop.averaging import Average
from services.diagnosis.training.loop.checkpoint import read_checkpoint, write_checkpoint
from services.diagnosis.training.loop.journal import Journal
from services.diagnosis.training.loop.objective import Indices, Losses, Objective
from services.diagnosis.training.loop.plan import Plan
from services.diagnosis.training.loop.runtime import Runtime
from services.diagnosis.training.loop.session import Session

RANK_SEEDS = 7919
"""Distance between the seeds of two processes that share a batch."""
Advance = Callable[[], None]


class Balance(Protocol):
    """Computes the gradients of a batch instead of plain back-propagation.

    `watch`: this step is told to the metrics. Returns: what they should be told.
    """

    def __call__(
        self, objective: Objective, losses: Losses, runtime: Runtime, *, watch: bool
    ) -> Mapping[str, float]: ...


def optimise(
    objective: Objective,
    plan: Plan,
    session: Session = Session(),
    *,
    seed: int,
    balance: Balance | None = None,
    on_step: Advance = lambda: None,
) -> list[float]:
    """Train `objective` in place; a stage that was interrupted goes on, one that had finished is only loaded.

    Args:
        on_step: called once for each step, those that an earlier try has done included.

    Returns: the mean of the first watched loss in each epoch.
    Raises: OutOfMemory, LossNotFinite, PrecisionUnavailable, CheckpointUnusable.
    """
    loop = _Loop(objective, plan, session, seed, balance)
    try:
        loop.resume(on_step)
        while loop.epoch < plan.epochs:
            loop.run_epoch(on_step)
        return loop.finish()
    except torch.OutOfMemoryError as error:
        loop.out_of_memory(error)
    except RuntimeError as error:
        # The processor's allocator raises a plain RuntimeError.
        if "can't allocate memory" not in str(error):
            raise
        loop.out_of_memory(error)
    finally:
        loop.journal.close()


class _Loop:
    """What changes from step to step."""

    def __init__(self, objective: Objective, plan: Plan, session: Session, seed: int, balance: Balance | None) -> None:
        self.objective, self.plan, self.session, self.balance = objective, plan, session, balance
        self.runtime = Runtime(session)
        torch.manual_seed(seed + RANK_SEEDS * self.runtime.rank)
        self.order = torch.Generator().manual_seed(seed)
        self.noise = torch.Generator().manual_seed(seed + 1 + RANK_SEEDS * self.runtime.rank)
        self.parameters: list[nn.Parameter] = [p for p in objective.parameters() if p.requires_grad]
        objective.to(self.runtime.device)
        # The fused step touches each parameter once; the plain one spends most of a small model's step on overhead.
        adam = torch.optim.AdamW(self.parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True)
        self.ready, self.optimizer = self.runtime.prepare(objective, adam)
        self.steps = plan.epochs * plan.steps_per_epoch(objective.cases)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            adam, plan.learning_rate, total_steps=self.steps, pct_start=plan.warm_up_share(self.steps)
        )
        self.average = Average(self.parameters) if plan.ema_share else None
        self.epoch, self.batch, self.losses, self.history = 0, 0, list[float](), list[float]()
        self.epoch_order = self.order.get_state()
        self.saved_at = time.monotonic()
        self.path = session.work / f"{plan.stage}.pt" if session.work else None
        self.journal = Journal(None)

    @property
    def step(self) -> int:
        return self.epoch * self.plan.steps_per_epoch(self.objective.cases) + self.batch

    def resume(self, on_step: Advance) -> None:
        state = read_checkpoint(self.path) if self.path else None
        if state is not None:
            self._restore(state)
            for _ in range(self.step):
                on_step()
        folder = self.session.metrics
        if folder is not None and self.runtime.rank == 0 and not (state and state["done"]):
            self.journal = Journal(folder / self.plan.stage, step=self.step)

    def run_epoch(self, on_step: Advance) -> None:
        """From `self.batch` on; the order of an epoch that was begun is drawn again from the same state."""
        self.epoch_order = self.order.get_state()
        order = torch.randperm(self.objective.cases, generator=self.order).numpy()
        self.ready.train()
        size = self.plan.batch_size
        for batch in range(self.batch, self.plan.steps_per_epoch(len(order))):
            self._step(order[batch * size : (batch + 1) * size])
            self.batch = batch + 1
            on_step()
            self._maybe_save()
        self.history.append(self.runtime.mean(float(np.mean(self.losses))))
        self.epoch, self.batch, self.losses = self.epoch + 1, 0, []

    def finish(self) -> list[float]:
        """The averaged weights become the model's, in main memory and in evaluation mode."""
        if self.average is not None:
            self.average.take_over()
            self.average = None
        self.epoch_order = self.order.get_state()
        self._save(done=True)
        self.runtime.release(self.ready).eval()
        return self.history

    def out_of_memory(self, error: Exception) -> NoReturn:
        raise OutOfMemory(self.plan.stage, self.plan.batch_size, str(self.runtime.device)) from error

    def _step(self, rows: Indices) -> None:
        losses: Losses = self.ready(self.runtime.share(rows), self.epoch, self.noise)
        total = losses.total.item()
        self._require_finite(total, "loss")
        self.optimizer.zero_grad(set_to_none=True)
        told: Mapping[str, float] = {}
        watch = (self.step + 1) % self.session.log_every == 0
        if self.balance is None:
            self.runtime.backward(losses.total)
        else:
            told = self.balance(self.objective, losses, self.runtime, watch=watch)
        norm = self.runtime.clip(self.parameters, self.plan.clip)
        if self.runtime.scaler is None:
            self._require_finite(norm, "gradient")
        rate = self.schedule.get_last_lr()[0]
        self.optimizer.step()
        if not self.runtime.skipped():
            self.schedule.step()
        if self.average is not None:
            self.average.update(self.plan.ema_decay(self.step, self.steps))
        self.losses.append(next(iter(losses.watched.values())).item())
        if watch:
            watched = {name: value.item() for name, value in losses.watched.items()}
            self.journal.write(
                self.step + 1,
                {"loss": total, **watched, "gradient/norm": float(norm), "learning_rate": float(rate), **told},
            )

    def _require_finite(self, value: float, what: str) -> None:
        if not np.isfinite(value):
            last = self.losses[-1] if self.losses else (self.history[-1] if self.history else None)
            raise LossNotFinite(self.plan.stage, self.step + 1, value, last, what)

    def _maybe_save(self) -> None:
        """By the first process's clock; with several processes it is asked at every tenth step only."""
        if self.path is None or (self.runtime.world > 1 and self.step % 10):
            return
        if self.runtime.agree(time.monotonic() - self.saved_at >= self.session.checkpoint_every_s):
            self._save(done=False)

    def _save(self, *, done: bool) -> None:
        if self.path is None:
            return
        ranks = self.runtime.gather(self._random_state())
        if self.runtime.rank == 0:
            write_checkpoint(self.path, self._state(ranks, done))
        self.runtime.wait()
        self.saved_at = time.monotonic()

    def _random_state(self) -> dict[str, Any]:
        state = {"torch": torch.get_rng_state(), "noise": self.noise.get_state()}
        if self.runtime.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state()
        return state

    def _state(self, ranks: list[dict[str, Any]], done: bool) -> dict[str, Any]:
        scaler = self.runtime.scaler
        return {
            "done": done,
            "epoch": self.epoch,
            "batch": self.batch,
            "losses": self.losses,
            "history": self.history,
            "order": self.epoch_order,
            "ranks": ranks,
            "objective": self.objective.state_dict(),
            "average": None if self.average is None else self.average.shadow,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        try:
            self.objective.load_state_dict(state["objective"])
        except RuntimeError as error:
            raise CheckpointUnusable(self.session.work or Path(), "it holds another network") from error
        self.epoch, self.batch = state["epoch"], state["batch"]
        self.losses, self.history = list(state["losses"]), list(state["history"])
        if state["done"]:
            self.average = None
            return
        if self.average is not None:
            self.average.load(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.runtime.scaler is not None:
            self.runtime.scaler.load_state_dict(state["scaler"])
        self.order.set_state(state["order"])
        own = state["ranks"][self.runtime.rank]
        torch.set_rng_state(own["torch"])
        self.noise.set_state(own["noise"])
        if "cuda" in own:
            torch.cuda.set_rng_state(own["cuda"])
