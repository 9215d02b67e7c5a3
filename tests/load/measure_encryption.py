"""What encrypting costs when an image is taken in and when it is read.

    python -m tests.load.measure_encryption --pairs 200

One imaging service, without its door: the same radiographs (512 x 512, 16 bits, 525 kB) are examined and filed, turn by
turn, with blobs as files and with the same files encrypted under each patient's key. Each pair shares its moment, so
that a machine busy with other things slows both. The ratio is the median of the pairs', with a 95 % interval by
bootstrap; the processor's time stands beside the wall clock's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from services.imaging.dicom.decoder_process import Limits
from services.imaging.dicom.decoders import Decoders
from services.imaging.store import ErasureRow, OutboxRow
from services.imaging.usecases import ingest
from shared.auth import Principal, Role
from shared.blobs import open_blobs
from shared.database import migrate
from shared.digests import digest_bytes
from shared.erasure import blobs_of
from shared.web import Runtime, build_runtime
from tests.services.imaging.radiographs import encoded, radiograph
from tests.support.common import make_test_bed

SIDE = 512
PATIENTS = 20
VISIT = ingest.Visit(Principal("bench", "bench", Role.EHR_SYSTEM, "default", None, "bench"), "stow-rs")
Spent = tuple[float, float]
"""Wall clock and processor, in milliseconds."""


def timed(act: Callable[[], object]) -> Spent:
    """How long something takes."""
    wall, processor = time.perf_counter(), time.process_time()
    act()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - processor) * 1000


def take_in(runtime: Runtime, decoders: Decoders, content: bytes) -> None:
    """What a door does with an instance."""
    examined = ingest.examine(runtime, content, decoders, VISIT)
    with runtime.sessions.begin() as session:
        (outcome,) = ingest.file_instances(session, runtime, [examined], VISIT)
    if outcome.refusal is not None:
        raise outcome.refusal


def film(seed: int, patient: str) -> bytes:
    """A radiograph that no codec could make small."""
    pixels = np.random.default_rng(seed).integers(0, 4096, (SIDE, SIDE), dtype=np.uint16)
    return encoded(radiograph(pixels, PatientID=patient))


def measure(directory: Path, pairs: int) -> dict[str, list[tuple[Spent, Spent]]]:
    """(plain, encrypted) of each pair, for taking in and for reading."""
    bed = make_test_bed(directory)
    runtimes = []
    for name in ("plain", "sealed"):
        url = bed.sqlite(name)
        migrate(url, "imaging")
        runtimes.append(build_runtime("imaging", bed.common, url, OutboxRow))
    plain = dataclasses.replace(runtimes[0], blobs=open_blobs(f"file://{directory}/plain-blobs"))
    found: dict[str, list[tuple[Spent, Spent]]] = {"take in": [], "read": []}
    decoders = Decoders(Limits(max_pixels=10**8), 1)
    sides = (plain, runtimes[1])
    for number in range(pairs + PATIENTS):
        patient = f"P-{number % PATIENTS}"
        content = film(number, patient)
        taken, read = _pair(sides, decoders, patient, content, sealed_first=number % 2 == 0)
        if number >= PATIENTS:  # the first of each patient make keys, which happens once
            found["take in"].append(taken)
            found["read"].append(read)
    decoders.close()
    for runtime in runtimes:
        runtime.keys.close()
        runtime.audit.close()
        runtime.sessions.kw["bind"].dispose()
    return found


def _pair(
    sides: tuple[Runtime, Runtime], decoders: Decoders, patient: str, content: bytes, *, sealed_first: bool
) -> tuple[tuple[Spent, Spent], tuple[Spent, Spent]]:
    """What one radiograph costs on both sides, taken in and read."""
    digest = digest_bytes(content)
    taken, read = {}, {}
    for side in (1, 0) if sealed_first else (0, 1):
        runtime = sides[side]
        taken[side] = timed(partial(take_in, runtime, decoders, content))
        read[side] = timed(partial(_read, runtime, patient, digest))
    return (taken[0], taken[1]), (read[0], read[1])


def _read(runtime: Runtime, patient: str, digest: str) -> None:
    blobs_of(runtime, ErasureRow, patient).store.get(digest)


def summary(pairs: Sequence[tuple[float, float]]) -> dict[str, object]:
    """Medians, and the ratio with its interval."""
    values = np.array(pairs)
    ratios = values[:, 1] / values[:, 0]
    draws = np.random.default_rng(1).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(draws, axis=1), (2.5, 97.5))
    return {
        "n": len(pairs), "plain_ms": round(statistics.median(values[:, 0]), 2),
        "sealed_ms": round(statistics.median(values[:, 1]), 2), "ratio": round(float(np.median(ratios)), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
    }  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    pairs = parser.parse_args(arguments).pairs
    with tempfile.TemporaryDirectory() as directory:
        found = measure(Path(directory), pairs)
    for act, spent in found.items():
        for clock, name in enumerate(("wall", "processor")):
            said = summary([(plain[clock], sealed[clock]) for plain, sealed in spent])
            print(json.dumps({"act": act, "clock": name, **said}))


if __name__ == "__main__":
    main(sys.argv[1:])
