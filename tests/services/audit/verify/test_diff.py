"""Two checkpoints against each other: consistent, forked (with evidence), rolled back, or not to be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.audit.verify.notes import open_checkpoint
from tests.services.audit.support import Audit, event
from tests.services.audit.verify.houses import Left
from tests.services.audit.verify.rebuild import rebuild
from tests.services.audit.verify.support import run_alone


def _note(audit: Audit, path: Path) -> str:
    path.write_text(audit.client.get("/audit/checkpoint").text)
    return str(path)


def _diff(earlier: str, later: str, vkey: str, *more: str) -> tuple[int, dict[str, object]]:
    answer = run_alone("diff", earlier, later, "--key", vkey.strip(), "--json", *more)
    return answer.returncode, json.loads(answer.stdout)


@pytest.fixture
def notes(audit: Audit, tmp_path: Path) -> list[str]:
    """Two checkpoints of a growing log."""
    audit.append(*(event() for _ in range(5)))
    first = _note(audit, tmp_path / "a.note")
    audit.append(*(event() for _ in range(300)))
    return [first, _note(audit, tmp_path / "b.note")]


def test_the_same_checkpoint_is_consistent_with_itself(audit: Audit, notes: list[str]) -> None:
    assert _diff(notes[0], notes[0], audit.vkey)[1]["verdict"] == "consistent"


def test_grown_log_is_consistent_as_its_entries_show(audit: Audit, notes: list[str]) -> None:
    status, answer = _diff(*notes, audit.vkey, "--log", str(audit.bed.directory / "audit.db"))
    assert (status, answer["verdict"]) == (0, "consistent")


def test_without_the_entries_a_grown_log_cannot_be_told(audit: Audit, notes: list[str]) -> None:
    status, answer = _diff(*notes, audit.vkey)
    assert (status, answer["good"]) == (2, None)


def test_smaller_checkpoint_afterwards_is_a_rollback(audit: Audit, notes: list[str]) -> None:
    status, answer = _diff(notes[1], notes[0], audit.vkey)
    assert (status, answer["verdict"], answer["firstBad"]) == (1, "rollback", 5)


def test_24_two_roots_of_one_size_are_a_fork_with_evidence(log: Left, tmp_path: Path) -> None:
    (tmp_path / "a.note").write_text(log.note)
    rebuild(log, keep=305)
    (tmp_path / "b.note").write_text(rebuild(log, forge=40))
    evidence = tmp_path / "evidence.json"
    paths = [str(tmp_path / "a.note"), str(tmp_path / "b.note")]
    status, answer = _diff(*paths, log.vkey, "--evidence", str(evidence))
    assert (status, answer["verdict"]) == (1, "fork")
    kept = json.loads(evidence.read_text())["notes"]
    roots = {open_checkpoint(note, log.keys).root for note in kept.values()}
    assert len(roots) == 2, "both notes bear the log's signature, and contradict each other"


def test_24_fork_of_different_sizes_is_shown_by_the_entries_of_the_later(sqlite_log: Left, tmp_path: Path) -> None:
    from tests.services.audit.verify.houses import copy_sqlite

    copied = copy_sqlite(sqlite_log, tmp_path)
    (tmp_path / "a.note").write_text(copied.note)
    (tmp_path / "b.note").write_text(rebuild(copied, forge=40))
    paths = [str(tmp_path / "a.note"), str(tmp_path / "b.note")]
    evidence = str(tmp_path / "evidence.json")
    status, answer = _diff(*paths, copied.vkey, "--log", copied.place, "--evidence", evidence)
    assert (status, answer["verdict"]) == (1, "fork")


def test_note_that_cannot_be_read_exits_2_and_a_forged_one_1(audit: Audit, notes: list[str]) -> None:
    assert _diff(notes[0], "/nowhere", audit.vkey)[0] == 2
    Path(notes[1]).write_text(Path(notes[1]).read_text().replace("\n305\n", "\n306\n"))
    assert _diff(*notes, audit.vkey)[0] == 1
