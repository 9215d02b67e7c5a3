"""`make fuzz`: broken input at every door of a running suite: no 5xx, no hang, no leak, nothing acknowledged lost.

    python -m tests.fuzz.run --inputs 20000 --seed 1
    python -m tests.fuzz.run --corpus DIRECTORY      (.dcm, .hl7 and .fit files to break, beside our own)

Exits with 1 where anything was at fault, and writes each input at fault into --keep, to be looked at.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.fuzz.doors import DICOM, IMPORT, WAIT_S, Answer, Door, all_doors
from tests.support.suite import RunningSuite, running_suite, until

LEAK_MIB = 200.0
"""More than this from the middle of the run to its end is a leak: caches are full by then."""


@dataclass
class Outcome:
    """What came of a run."""

    said: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Run it, print what each door said, and say what was at fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="folder of real files to break")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where inputs at fault go")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as name, running_suite(Path(name) / "data") as suite:
        doors = all_doors(suite, Path(name), arguments.corpus)
        outcome = fuzz(suite, doors, arguments.inputs, arguments.seed, arguments.keep, console)
    console.print(_table(outcome))
    for fault in outcome.faults[:50]:
        console.print(f"[red]{fault}")
    kept = len(outcome.acknowledged)
    console.print(f"{arguments.inputs} inputs, {len(outcome.faults)} at fault; {kept} acknowledged items read back.")
    sys.exit(1 if outcome.faults else 0)


def fuzz(
    suite: RunningSuite, doors: list[Door], inputs: int, seed: int, keep: Path, console: Console | None = None
) -> Outcome:
    """Send so many broken inputs, turn by turn to every door, and look after everything that was acknowledged."""
    chance, outcome = random.Random(seed), Outcome()
    processes = suite.pids()
    half = 0.0
    for number in track(range(inputs), "Breaking", console=console, disable=console is None):
        door = doors[number % len(doors)]
        content = door.mutate(chance, chance.choice(door.seeds))
        answer = _ask(door, content)
        outcome.said[(door.name, answer.said)] += 1
        outcome.acknowledged.update(answer.acknowledged)
        if answer.failure is not None:
            keep.mkdir(parents=True, exist_ok=True)
            path = keep / f"{seed}-{number}-{door.name.replace(' ', '-')}"
            path.write_bytes(content)
            outcome.faults.append(f"{door.name}: {answer.failure} ({path})")
        if number == inputs // 2:
            half = memory_mib(suite)
    if inputs > 1000 and memory_mib(suite) - half > LEAK_MIB:
        outcome.faults.append(f"memory grew by {memory_mib(suite) - half:.0f} MiB in the second half")
    if suite.pids() != processes:
        outcome.faults.append("a process ended and was started again")
    outcome.faults += lost(suite, outcome.acknowledged)
    outcome.faults += [f"{door.name}: takes no good input any more" for door in doors if not _takes(door)]
    return outcome


def lost(suite: RunningSuite, acknowledged: dict[str, str]) -> list[str]:
    """What was acknowledged and cannot be read back as it was sent."""
    return [f"lost: {path}" for path, sent in acknowledged.items() if not _is_there(suite, path, sent)]


def memory_mib(suite: RunningSuite) -> float:
    """What the suite's own processes hold together, decoding children included."""
    total = 0
    for process in (one for pid in suite.pids().values() for one in _with_children(pid)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def _with_children(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _ask(door: Door, content: bytes) -> Answer:
    try:
        return door.send(content)
    except (httpx.HTTPError, OSError) as error:
        return Answer("nothing", f"no answer: {type(error).__name__}")


def _takes(door: Door) -> bool:
    answer = _ask(door, door.seeds[0])
    return answer.failure is None


def _is_there(suite: RunningSuite, path: str, sent: str) -> bool:
    if sent == DICOM:
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        return suite.clinician.get(path, headers={"Accept": accept}).status_code == 200
    if sent == IMPORT:
        return bool(until(lambda: suite.ehr.get(path).json()["state"] in ("succeeded", "failed"), WAIT_S, path))
    answer = suite.clinician.get(path)
    return answer.status_code == 200 and answer.json()["text"] == sent


def _table(outcome: Outcome) -> Table:
    table = Table("door", "said", "inputs", title="What the doors said")
    for (door, said), count in sorted(outcome.said.items()):
        table.add_row(door, said, str(count))
    return table


if __name__ == "__main__":
    main()
