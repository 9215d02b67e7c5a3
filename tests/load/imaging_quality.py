"""How often the quality gate finds seeded faults, and how often it finds what is not there.

`python -m tests.load.imaging_quality DATA`, where DATA holds `cxr-cohort`, `cxr-paediatric` and `dicom`. Thresholds
are chosen by looking at the first half of the patients (`--half 0`); figures are of the other.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.imaging.dicom.decoder_process import Limits
from services.imaging.dicom.decoders import Decoders
from services.imaging.dicom.description import look_at, render_for_networks
from services.imaging.dicom.json_model import header_json
from services.imaging.dicom.quality import findings, small, template
from services.imaging.dicom.reading import read_instance
from services.imaging.dicom.render import WHITE, Display, fit
from services.imaging.errors import Refused

Fault = Callable[[NDArray[np.float64]], NDArray[np.float64]]
FAULTS: dict[str, tuple[Fault, str]] = {
    "too dark (x 0.3)": (lambda x: x * 0.3, "too-dark"),
    "too bright (0.7 + 0.3 x)": (lambda x: 0.7 + 0.3 * x, "too-bright"),
    "clipped (contrast x 4)": (lambda x: (x - 0.5) * 4 + 0.5, "clipped"),
    "turned by 90": (lambda x: np.rot90(x, 1), "rotated"),
    "turned by 180": (lambda x: np.rot90(x, 2), "rotated"),
    "turned by 270": (lambda x: np.rot90(x, 3), "rotated"),
    "inverted": (lambda x: 1 - x, "inverted"),
    "blank": (lambda x: np.full_like(x, 0.5), "blank"),
}


def half_of(patient: str) -> int:
    return int(hashlib.sha256(patient.encode()).hexdigest(), 16) % 2


def films(data: Path, half: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """One film of each patient: collection and gray values in [0, 1]."""
    for collection, table, key in (
        ("cxr-cohort", "cohort.csv", "patient_id"),
        ("cxr-paediatric", "labels.csv", "patient_id"),
    ):
        seen: set[str] = set()
        with (data / collection / table).open() as file:
            for row in csv.DictReader(file):
                if row[key] in seen or half_of(row[key]) != half:
                    continue
                seen.add(row[key])
                with Image.open(data / collection / "images" / f"{row['image_id']}.jpg") as image:
                    yield collection, np.asarray(image.convert("L"), np.float64) / 255


def display(values: NDArray[np.float64]) -> Display:
    return fit(np.rint(values.clip(0, 1) * WHITE).astype(np.uint16))


def names(values: NDArray[np.float64]) -> set[str]:
    return {finding["name"] for finding in findings(display(values), {})}


def wilson(hits: int, n: int) -> str:
    z, p = 1.96, hits / n
    middle, spread = p + z * z / 2 / n, z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    low, high = ((middle + sign * spread) / (1 + z * z / n) for sign in (-1, 1))
    return f"{hits} of {n}, {p:.3f} [{max(low, 0):.3f}, {min(high, 1):.3f}]"


def others(data: Path) -> Iterator[tuple[str, Display, dict[str, Any]]]:
    """The files of the DICOM collection that can be shown, gray, with their headers."""
    with closing(Decoders(Limits(), 1)) as decoders:
        for path in sorted((data / "dicom" / "files").iterdir()):
            try:
                read = read_instance(path.read_bytes())
                if look_at(read, decoders).radiance is not None:
                    yield path.name, render_for_networks(read, decoders), header_json(read.ds)
            except Refused:
                continue


def report(data: Path, half: int) -> None:
    found = list(films(data, half))
    for collection in ("cxr-cohort", "cxr-paediatric"):
        sets = [names(values) for name, values in found if name == collection]
        print(f"{collection}: any finding {wilson(sum(map(bool, sets)), len(sets))}")
        for finding in sorted(set().union(*sets)):
            print(f"  {finding}: {wilson(sum(finding in one for one in sets), len(sets))}")
    for fault, (seed, expected) in FAULTS.items():
        sets = [names(seed(values)) for _, values in found]
        named, any_ = sum(expected in one for one in sets), sum(map(bool, sets))
        print(f"{fault}: `{expected}` {wilson(named, len(sets))}; any finding {wilson(any_, len(sets))}")
    _distribution([values for _, values in found])


def _distribution(values: Sequence[NDArray[np.float64]]) -> None:
    likeness = [float((small(display(one)) * template()).mean()) for one in values]
    means = [
        float(one[one.shape[0] // 10 : -one.shape[0] // 10, one.shape[1] // 10 : -one.shape[1] // 10].mean())
        for one in values
    ]
    for name, numbers in (("likeness", likeness), ("mean", means)):
        print(name, "percentiles 1, 5, 50, 95, 99:", np.percentile(numbers, [1, 5, 50, 95, 99]).round(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", type=int, default=1, choices=(0, 1))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    report(arguments.data, arguments.half)
    for name, image, header in others(arguments.data):
        said = findings(image, header)
        print(f"{name}: {', '.join(str(finding['name']) for finding in said) or 'nothing'}")


if __name__ == "__main__":
    main()
