"""42: builds of the log with one thing broken. Each must turn its tests red, and the whole one must pass them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.broken_build import Edit, build, run_tests

pytestmark = pytest.mark.slow
AUDIT = "tests/services/audit"
SEQUENCER = "services/audit/sequencer.py"


@dataclass(frozen=True)
class Variant:
    """What is broken, and the tests that must notice."""

    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


VARIANTS = {
    "commits that a power cut undoes": Variant(
        (
            Edit("shared/database.py", '"synchronous=FULL"', '"synchronous=OFF"'),
            Edit("services/audit/store/durability.py", "SQLITE_FULL = 2", "SQLITE_FULL = 0"),
        ),
        (f"{AUDIT}/test_sequencer.py::test_sqlite_that_could_lose_entries_is_refused",),
    ),
    "acknowledged before the commit": Variant(
        (
            Edit(
                SEQUENCER,
                '            reach("before-commit")\n',
                "            self._answer(group)\n            import time\n\n            time.sleep(0.3)\n"
                '            reach("before-commit")\n',
            ),
            Edit(SEQUENCER, "            if submission.refusal is not None:\n                submission.answer",
                 "            if submission.answer.done():\n                continue\n"
                 "            if submission.refusal is not None:\n                submission.answer"),
        ),
        (f"{AUDIT}/test_crash.py::test_killed_log_keeps_every_acknowledged_event_exactly_once[before-commit]",),
    ),
    "acknowledged before the checkpoint": Variant(
        (Edit(SEQUENCER, "            self._publish()\n            reach", "            reach"),),
        (f"{AUDIT}/test_log.py::test_an_answered_event_is_covered_by_a_signed_checkpoint",),
    ),
    "inner nodes hashed as leaves": Variant(
        (Edit("shared/tlog/tree.py", r'b"\x01" + left + right', r'b"\x00" + left + right'),),
        ("tests/shared/tlog/test_tree.py", "tests/shared/tlog/test_tiles.py"),
    ),
    "repeats looked for after the fact": Variant(
        (Edit(SEQUENCER, "known = store.find_placed(session, ids)", "known: dict[str, Placed] = {}"),),
        (f"{AUDIT}/test_log.py::test_the_same_event_again_keeps_its_place",),
    ),
    "repeats within one group not seen": Variant(
        (Edit(SEQUENCER, "known.get(event_id) or here.get(event_id)", "known.get(event_id)"),),
        (f"{AUDIT}/test_log.py::test_the_same_event_twice_in_one_batch_is_one_entry",),
    ),
    "an index given twice": Variant(
        (Edit(SEQUENCER, "move_coordinate(session, size, size + len(fresh))",
              "move_coordinate(session, size, size + len(fresh) - 1)"),),
        (f"{AUDIT}/test_log.py::test_events_are_numbered_in_their_order", f"{AUDIT}/test_log.py"),
    ),
    "signed without reading back": Variant(
        (Edit("services/audit/signing.py", "if not hmac.compare_digest(root, root_at(size, read)):", "if False:"),
         Edit("services/audit/signing.py", "    root = tree.root()\n", "    root = root_at(size, read)\n")),
        (f"{AUDIT}/test_sequencer.py::test_9_bit_that_flips_on_its_way_to_the_disk_is_never_signed",),
    ),
    "two sequencers do not take turns": Variant(
        (Edit("services/audit/store/log.py", ".where(CoordinateRow.id == 1).with_for_update()",
              ".where(CoordinateRow.id == 1)"),),
        (f"{AUDIT}/test_sequencer.py::test_two_sequencers_by_mistake_make_one_log",),
    ),
    "a checker that believes the columns": Variant(
        (Edit("services/audit/verify/entries.py", "    if columns == true:\n", "    if columns:\n"),),
        (f"{AUDIT}/verify/test_tampering.py",),
    ),
    "a witness that forgets to look at the old size": Variant(
        (Edit("services/witness/usecases.py", "if request.old != known.size:", "if False:"),),
        ("tests/services/witness/test_add_checkpoint.py",),
    ),
    "numbers given to what was taken back": Variant(
        (Edit("shared/outbox.py", " if sa.inspect(entry).persistent]", "]"),),
        ("tests/shared/test_outbox.py",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_broken_build_turns_its_tests_red(tmp_path: Path, variant: Variant) -> None:
    answer = run_tests(build(tmp_path, variant.edits), *variant.tests)
    assert answer.returncode == 1, answer.stdout[-2000:] + answer.stderr[-2000:]


def test_whole_build_passes_the_same_tests(tmp_path: Path) -> None:
    selection = dict.fromkeys(test for variant in VARIANTS.values() for test in variant.tests)
    answer = run_tests(build(tmp_path, ()), *selection)
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
