"""Several processes share every batch (torchrun, gloo): the same weights on each, those of one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from services.diagnosis.training.loop import Plan, optimise
from tests.support.small_objective import SmallObjective

PLAN = Plan("small", epochs=2, batch_size=8, learning_rate=0.02, weight_decay=0.01, ema_share=0.2)
SCRIPT = """
import os, sys, torch
from services.diagnosis.training.loop import Session, optimise
from tests.services.diagnosis.training.loop.test_runtime import PLAN
from tests.support.small_objective import SmallObjective
from pathlib import Path
out = Path(sys.argv[1])
objective = SmallObjective(chance=False)
history = optimise(objective, PLAN, Session(work=out / "work", metrics=out / "metrics"), seed=5)
torch.save({"history": history, **objective.state_dict()}, out / f"rank{os.environ['RANK']}.pt")
"""


def test_two_processes_agree_with_each_other_and_with_one(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", str(script)]
    root = Path(__file__).parents[5]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = SmallObjective(chance=False)
    history = optimise(alone, PLAN, seed=5)
    assert first.pop("history") == second.pop("history") == pytest.approx(history, rel=1e-4)
    for name, value in alone.state_dict().items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value, rtol=1e-4, atol=1e-6)
    assert (tmp_path / "metrics" / "small" / "metrics.jsonl").is_file()
