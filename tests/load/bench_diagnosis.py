"""`make bench`: latency of POST /diagnoses -> succeeded by stage, and memory of each process, embedded suite, warm.

One case as the issue sizes it: a 2048 x 2048 radiograph, a one-page note, 72 h of vitals, all three modalities. The
bare limit in the same run is the predictor alone in this process, without HTTP, database, broker or log.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.ward.generate import generate_patient
from tests.support.cases import Case, admit, dicom_copy, rename
from tests.support.suite import RunningSuite, running_suite

SIDE = 2048
STAGES = ("queued", "fetch", "encode", "fuse", "explain", "total")


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as directory, running_suite(Path(directory) / "data") as suite:
        case = make_case()
        admit(suite, case)
        for _ in range(3):
            suite.diagnose(case.patient)
        rows = [timed(suite, case) for _ in track(range(arguments.repeats), "Diagnosing", console=console)]
        memory = memory_mib(suite)
    bare = bare_predictor_ms(arguments.repeats)
    figures = {name: quantiles([row[name] for row in rows]) for name in ("wall", *STAGES)}
    figures["predictor alone"] = quantiles(bare)
    console.print(latency_table(figures, arguments.repeats))
    console.print(memory_table(memory))
    ratio = figures["wall"]["p50"] / figures["predictor alone"]["p50"]
    console.print(f"POST -> succeeded takes {ratio:.2f} times the predictor alone (p50, same run).")
    if arguments.json:
        arguments.json.write_text(json.dumps({"latency_ms": figures, "memory_mib": memory, "n": arguments.repeats}))


def make_case() -> Case:
    """A synthetic patient whose radiograph is enlarged to 2048 x 2048."""
    case = Case.of(rename(generate_patient(77, 0), "BENCH-1"))
    dataset = dicom_copy(case.dataset)
    factor = SIDE // max(dataset.Rows, dataset.Columns)
    pixels = np.kron(dataset.pixel_array, np.ones((factor, factor), dataset.pixel_array.dtype))
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = pixels.tobytes()
    return dataclasses.replace(case, dataset=dataset)


def timed(suite: RunningSuite, case: Case) -> dict[str, float]:
    """Milliseconds of one diagnosis: the caller's wall clock, and the stages as the suite states them."""
    started = time.perf_counter()
    job = suite.clinician.post("/diagnoses", json={"patient": case.patient}).raise_for_status().json()
    with suite.clinician.stream("GET", f"/diagnoses/{job['id']}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: done"):
                break
    wall = 1000 * (time.perf_counter() - started)
    result: dict[str, Any] = suite.clinician.get(f"/diagnoses/{job['id']}").raise_for_status().json()
    return {"wall": wall, **{stage: result["timings"][stage] for stage in STAGES}}


def bare_predictor_ms(repeats: int) -> list[float]:
    """Milliseconds of the predictor alone on a case of the same size."""
    from services.diagnosis.inference.predictor import Predictor

    predictor = Predictor.load(DEMO_BUNDLE)
    case = generate_patient(77, 0).case()
    for _ in range(3):
        predictor.predict(case)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        predictor.predict(case)
        times.append(1000 * (time.perf_counter() - started))
    return times


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and extremes."""
    ordered = sorted(values)
    p95 = statistics.quantiles(ordered, n=20)[-1] if len(ordered) > 1 else ordered[0]
    return {"p50": statistics.median(ordered), "p95": p95, "min": ordered[0], "max": ordered[-1]}


def memory_mib(suite: RunningSuite) -> dict[str, float]:
    """Resident memory of each process of the suite."""
    found = {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in suite.pids().items()}
    return {**found, "consilium up": psutil.Process(suite.process.pid).memory_info().rss / 2**20}


def latency_table(figures: dict[str, dict[str, float]], repeats: int) -> Table:
    """The latency figures for people."""
    table = Table(title=f"One case, three modalities, embedded suite, warm; milliseconds, n = {repeats}")
    table.add_column("stage")
    for column in ("p50", "p95", "min", "max"):
        table.add_column(column, justify="right")
    for name, row in figures.items():
        table.add_row(
            "POST -> succeeded" if name == "wall" else name, *(f"{row[c]:.0f}" for c in ("p50", "p95", "min", "max"))
        )
    return table


def memory_table(memory: dict[str, float]) -> Table:
    """The memory figures for people."""
    table = Table(title="Resident memory, MiB")
    table.add_column("process")
    table.add_column("MiB", justify="right")
    for name, mib in memory.items():
        table.add_row(name, f"{mib:.0f}")
    return table


if __name__ == "__main__":
    main()
