"""How often burned-in text is found, and how often where nothing was burned in by us.

`python -m tests.load.burned_in_text DATA`, where DATA holds `cxr-cohort` and `cxr-paediatric`: one film of each of 120
patients as it is, and twice with made-up text drawn into it. Some films carry real text, which counts as an alarm.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from services.imaging.deid.text_finder import RapidTextFinder
from services.imaging.dicom.render import Display
from services.imaging.domain import Region
from tests.load.imaging_quality import wilson

TEXTS = {
    "name": ("QUARTERMAIN^ZEBULON", "Doe, Jane", "M. Okonkwo", "VAN DER BERG P", "Lindqvist Astrid", "J. Smith"),
    "number": ("MRN 83920174", "ID:4711-0815", "83920174", "PID 00719-22"),
    "date": ("14.02.1937", "1937-02-14", "02/14/37", "14 FEB 1937"),
}
SIZES, CONTRASTS = (10, 14, 20, 30), (40, 80, 255)
PLACES = ((0.02, 0.02), (0.98, 0.02), (0.02, 0.95), (0.98, 0.95), (0.5, 0.5))
FILMS = {"cxr-cohort": 90, "cxr-paediatric": 30}
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Seed:
    """Text that was drawn into a film."""

    kind: str
    size: int
    contrast: int
    box: tuple[float, float, float, float]

    def is_found(self, regions: Sequence[Region]) -> bool:
        """Whether one region covers a third of its length."""
        left, top, right, bottom = self.box
        return any(
            min(right, region.x + region.width) - max(left, region.x) > (right - left) / 3
            and min(bottom, region.y + region.height) > max(top, region.y)
            for region in regions
        )


def films(data: Path, rng: random.Random) -> Iterator[tuple[str, Gray]]:
    for collection, count in FILMS.items():
        table = data / collection / ("cohort.csv" if collection == "cxr-cohort" else "labels.csv")
        with table.open() as file:
            first: dict[str, str] = {}
            for row in csv.DictReader(file):
                first.setdefault(row["patient_id"], row["image_id"])
        for image_id in rng.sample(sorted(first.values()), count):
            with Image.open(data / collection / "images" / f"{image_id}.jpg") as image:
                yield collection, np.asarray(image.convert("L"))


def seeded(film: Gray, rng: random.Random) -> tuple[Gray, Seed]:
    """The film with a text; sizes are pixels of a film of 768 rows, contrasts gray values against what is behind."""
    kind, size, contrast = rng.choice(list(TEXTS)), rng.choice(SIZES), rng.choice(CONTRASTS)
    text, (across, down) = rng.choice(TEXTS[kind]), rng.choice(PLACES)
    image = Image.fromarray(film)
    draw, height = ImageDraw.Draw(image), size * film.shape[0] / 768
    font = ImageFont.load_default(height)
    width = draw.textlength(text, font=font)
    left = min(max(across * (film.shape[1] - width), 2), film.shape[1] - width - 2)
    top = min(down * film.shape[0], film.shape[0] - height - 4)
    box = (left, top, left + width, top + 1.2 * height)
    behind = float(np.median(film[int(top) : int(box[3]), int(left) : int(box[2])]))
    ink = behind + contrast if behind < 128 else behind - contrast
    draw.text((left, top), text, fill=int(min(max(ink, 0), 255)), font=font)
    return np.asarray(image), Seed(kind, size, contrast, box)


def display(film: Gray) -> Display:
    image: Display = film.astype(np.uint16) * 257
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    rng, find = random.Random(11), RapidTextFinder()
    alarms: dict[str, list[bool]] = {collection: [] for collection in FILMS}
    tries: list[tuple[Seed, bool]] = []
    for collection, film in films(parser.parse_args().data, rng):
        alarms[collection].append(bool(find(display(film))))
        for _ in range(2):
            drawn, seed = seeded(film, rng)
            tries.append((seed, seed.is_found(find(display(drawn)))))
    for collection, found in alarms.items():
        print(f"{collection}, as published, text found: {wilson(sum(found), len(found))}")
    kinds: dict[str, Callable[[Seed], bool]] = {
        "all": lambda _: True,
        **{f"size {size}": _has("size", size) for size in SIZES},
        **{f"contrast {contrast}": _has("contrast", contrast) for contrast in CONTRASTS},
        **{kind: _has("kind", kind) for kind in TEXTS},
        "size 14 or more, contrast 80 or more": lambda seed: seed.size >= 14 and seed.contrast >= 80,
    }
    for what, of in kinds.items():
        found = [hit for seed, hit in tries if of(seed)]
        print(f"recall, {what}: {wilson(sum(found), len(found))}")


def _has(name: str, value: object) -> Callable[[Seed], bool]:
    return lambda seed: getattr(seed, name) == value


if __name__ == "__main__":
    main()
