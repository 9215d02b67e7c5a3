"""Progress of the whole run: shares by cost, time left by pace, lines without a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.diagnosis.training.costs import expected_costs
from services.diagnosis.training.progress import Reporter, WholeRun
from services.diagnosis.training.recipe import Recipe


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_the_pace_so_far() -> None:
    clock = _Clock()
    run = WholeRun({"draw": 1.0, "learn": 3.0}, clock)
    assert run.left_s is None
    run.advance("draw", 1.0)
    run.advance("learn", 1 / 3)
    clock.now = 100.0
    assert run.share == pytest.approx(0.5)
    assert run.left_s == pytest.approx(100.0)
    assert str(run) == "; whole run 50%, about 2 min left"


def test_a_log_gets_a_line_every_half_minute_and_one_per_stage(capsys: pytest.CaptureFixture[str]) -> None:
    clock = _Clock()
    with Reporter(costs={"learn": 1.0}, clock=clock) as reporter, reporter.stage("learn", 4) as advance:
        for _ in range(4):
            clock.now += 20.0
            advance()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if "min left" in line]
    assert lines[0] == "learn: 2/4; whole run 50%, about 1 min left"
    assert lines[-1] == "learn: done; whole run 100%, about 0 min left"


def test_a_quiet_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(quiet=True, costs={"learn": 1.0}) as reporter, reporter.stage("learn", 1) as advance:
        advance()
    assert capsys.readouterr().out == ""


def test_every_stage_of_a_recipe_has_a_cost() -> None:
    costs = expected_costs(replace(Recipe(), joint_epochs=1))
    assert set(costs) == {
        *("train cases", "calibration cases", "test cases", "encoders", "tokens", "fusion ensemble"),
        *("joint finetuning", "baselines", "calibration and evaluation"),
    }
    assert all(cost > 0 for cost in costs.values())
    assert "joint finetuning" not in expected_costs(Recipe())
