"""Where a run keeps its checkpoints."""

from __future__ import annotations

from pathlib import Path

from services.diagnosis.training.loop.session import close_work, open_work


def test_the_same_command_finds_its_work_again(tmp_path: Path) -> None:
    assert open_work(tmp_path / "b", {"epochs": 3}, 1, fresh=False) == open_work(
        tmp_path / "b", {"epochs": 3}, 1, fresh=False
    )


def test_another_recipe_or_seed_works_elsewhere(tmp_path: Path) -> None:
    works = [open_work(tmp_path / "b", {"epochs": e}, s, fresh=False) for e, s in ((3, 1), (4, 1), (3, 2))]
    assert len(set(works)) == 3
    assert {work.parent for work in works} == {tmp_path / "b.work"}


def test_fresh_forgets_this_run_and_no_other(tmp_path: Path) -> None:
    own, other = (open_work(tmp_path / "b", {}, seed, fresh=False) for seed in (1, 2))
    for work in (own, other):
        (work / "fusion-0.pt").write_bytes(b"x")
    open_work(tmp_path / "b", {}, 1, fresh=True)
    assert not list(own.iterdir())
    assert list(other.iterdir())


def test_success_removes_the_work_and_the_last_one_the_folder(tmp_path: Path) -> None:
    first, second = (open_work(tmp_path / "b", {}, seed, fresh=False) for seed in (1, 2))
    close_work(first)
    assert second.is_dir()
    close_work(second)
    assert not (tmp_path / "b.work").exists()
