"""`make soak`: a suite under a moderate, steady load by all doors, and whether the memory of its processes stays flat.

    python -m tests.load.soak --minutes 60 --topology distributed --out build/soak

Every 15 seconds the resident memory of each process is read. The slope in MiB an hour is that of the second half:
caches are full by then. Writes `memory.json` and `memory.svg` into --out. Exits with 1 where a door refused what was
good or a process was started again; what a slope means is for people to say.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.load.memory_slope import Slope, resident_mib, slope_of
from tests.load.steady_senders import GOOD, PATIENTS, Senders
from tests.support.suite import RunningSuite, running_suite

SAMPLE_S = 15.0
LAGS = 20
"""Five minutes: how long memory that a step added is taken to stay as it is by itself."""
EVERY_S = {
    "STOW-RS": 10.0,
    "C-STORE": 10.0,
    "notes": 4.0,
    "MLLP": 4.0,
    "FHIR document": 8.0,
    "FHIR observation": 4.0,
    "vitals": 2.0,
    "reads": 2.0,
    "diagnosis": 30.0,
}


@dataclass
class Record:
    """What was seen of a run."""

    hours: list[float] = field(default_factory=list)
    mib: dict[str, list[float | None]] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    late_s: float = 0.0
    """How far behind its time the latest item was sent."""

    def add(self, hour: float, found: Mapping[str, float]) -> None:
        """Keep one look at all processes."""
        for name in found:
            self.mib.setdefault(name, [None] * len(self.hours))
        self.hours.append(hour)
        for name, series in self.mib.items():
            series.append(found.get(name))

    def slopes(self) -> dict[str, Slope]:
        """The slope of each series over the second half of the run; none for what was not there all the time."""
        start = len(self.hours) // 2
        second = {name: [one for one in series[start:] if one is not None] for name, series in self.mib.items()}
        hours = self.hours[start:]
        return {name: slope_of(hours, series, LAGS) for name, series in second.items() if len(series) == len(hours)}


def main() -> None:
    """Run it, print the table, write the figures and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1.0, help="times the usual rate of every door")
    parser.add_argument("--topology", choices=("embedded", "distributed"), default="embedded")
    parser.add_argument("--out", type=Path, default=Path("build/soak"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="consilium-soak-") as name:
        # PostgreSQL runs as an unprivileged user, who must be able to enter.
        Path(name).chmod(0o755)
        with running_suite(Path(name) / "data", arguments.topology) as suite:
            record = soak(suite, arguments.minutes * 60, arguments.rate)
    arguments.out.mkdir(parents=True, exist_ok=True)
    figures = {**vars(record), "slopes": {name: asdict(slope) for name, slope in record.slopes().items()}}
    (arguments.out / "memory.json").write_text(json.dumps({**vars(arguments), "out": None, **figures}))
    plot(record, arguments.out / "memory.svg", f"{arguments.topology}, {arguments.minutes:.0f} minutes")
    console = Console()
    console.print(_table(record))
    console.print(f"Said: {dict(sorted(record.said.items()))}; latest item {record.late_s:.1f} s behind its time.")
    for fault in record.faults[:20]:
        console.print(f"[red]{fault}")
    sys.exit(1 if record.faults else 0)


def soak(suite: RunningSuite, seconds: float, rate: float) -> Record:
    """Send by every door at its rate for so long, and look at the memory meanwhile."""
    senders, record, processes = Senders(suite), Record(), suite.pids()
    for _ in range(PATIENTS):
        senders.admit()
    doors = senders.by_door()
    begun = time.monotonic()
    due = [(begun + SAMPLE_S, ""), *((begun + every / rate, door) for door, every in EVERY_S.items())]
    heapq.heapify(due)
    while due[0][0] < begun + seconds:
        at, door = heapq.heappop(due)
        time.sleep(max(at - time.monotonic(), 0))
        if not door:
            record.add((time.monotonic() - begun) / 3600, resident_mib(suite))
            heapq.heappush(due, (at + SAMPLE_S, door))
            continue
        record.late_s = max(record.late_s, time.monotonic() - at)
        _send(record, door, doors[door])
        # What fell behind is not made up for: the load must be steady, whatever else the machine does.
        heapq.heappush(due, (max(at, time.monotonic() - EVERY_S[door] / rate) + EVERY_S[door] / rate, door))
    if suite.pids() != processes:
        record.faults.append("a process ended and was started again")
    return record


def _send(record: Record, door: str, send: Callable[[], str]) -> None:
    try:
        said = send()
    except (httpx.HTTPError, OSError) as error:
        said = type(error).__name__
    record.said[f"{door}: {said}"] += 1
    if said not in GOOD:
        record.faults.append(f"{door} said {said} after {record.hours[-1] if record.hours else 0:.2f} h")


def plot(record: Record, path: Path, title: str) -> None:
    """Memory over time, as much as each process holds more than at its first look."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for name, series in sorted(record.mib.items()):
        first = next(one for one in series if one is not None)
        grown = [float("nan") if one is None else one - first for one in series]
        axes.plot([hour * 60 for hour in record.hours], grown, label=f"{name} ({first:.0f} MiB)", linewidth=1)
    axes.set(title=f"Resident memory, {title}", xlabel="minutes", ylabel="MiB above the first look")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path)


def _table(record: Record) -> Table:
    table = Table(title=f"Resident memory, n = {len(record.hours)} looks; slope over the second half")
    for column in ("process", "first MiB", "middle", "last", "MiB an hour (95 %)"):
        table.add_column(column, justify="left" if column == "process" else "right")
    slopes = record.slopes()
    for name, series in sorted(record.mib.items()):
        there = [one for one in series if one is not None]
        shown = [f"{there[place]:.0f}" for place in (0, len(there) // 2, -1)]
        slope = slopes.get(name)
        told = f"{slope.per_hour:+.1f} ({slope.low:+.1f} to {slope.high:+.1f})" if slope else "not there all the time"
        table.add_row(name, *shown, told)
    return table


if __name__ == "__main__":
    main()
