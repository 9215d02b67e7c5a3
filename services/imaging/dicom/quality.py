"""Is this a chest radiograph that a network can judge? Named findings, each with its number and a sentence.

The header says which part and view it is; the pixels say whether they look like a chest, which way up and in which
polarity, and how they are exposed. Pixels are judged as they are displayed, at 32 x 32 for likeness. The limits were
chosen on one half of the patients of two public collections (`docs/benchmarks.md`); findings warn, and refuse nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.imaging.dicom.json_model import first_value
from services.imaging.dicom.render import WHITE, Display, fit

VERSION = 1
"""Of the findings: kept ones of an older version are found anew."""
SIDE = 32
LIKE_A_CHEST, TURNED_BY = 0.3, 0.05
DARKEST, BRIGHTEST = 0.3, 0.8
LEAST_CONTRAST = 0.2
MOST_CLIPPED = 0.2
LEAST_SIDE = 200
PROPORTIONS = (0.5, 2.0)
BLANK_DEVIATION = 0.005

CHEST = re.compile(r"CHEST|THORAX|LUNG|RIB|CXR")
OTHER_PART = re.compile(
    r"ABDOMEN|PELVIS|HIP|KNEE|SKULL|HEAD|SPINE|SHOULDER|CLAVICLE|ARM|HUMERUS|ELBOW|WRIST|HAND|FINGER|LEG|FEMUR"
    r"|TIBIA|ANKLE|FOOT|TOE|BREAST|NECK|EXTREMITY|DENTAL|JAW"
)
LATERAL = {"LL", "RL", "LATERAL", "LAT", "LLD", "RLD"}
DESCRIPTIONS = ("BodyPartExamined", "ProtocolName", "SeriesDescription", "StudyDescription")

Small = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """One doubt about an image."""

    name: str
    value: float | str
    """What was measured, or the attribute that says so. Never the attribute's own words."""
    limit: float | None
    text: str


def findings(image: Display, header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All doubts about a radiograph.

    Args:
        image: as it is displayed, [rows, columns], 0 is black; any size.
        header: the DICOM JSON model.
    """
    return [asdict(finding) for finding in (*_of_header(header), *_of_pixels(image, header))]


def _of_header(header: Mapping[str, Any]) -> Iterator[Finding]:
    for keyword in DESCRIPTIONS:
        words = first_value(header, keyword).upper()
        if CHEST.search(words):
            break
        if OTHER_PART.search(words):
            yield Finding("other-body-part", keyword, None, f"{keyword} names another part of the body than the chest.")
            break
    if first_value(header, "ViewPosition").strip().upper() in LATERAL:
        yield Finding("not-frontal", "ViewPosition", None, "ViewPosition names a lateral view.")


def _of_pixels(image: Display, header: Mapping[str, Any]) -> Iterator[Finding]:
    rows, columns = (int(float(first_value(header, name) or side)) for name, side in _sides(image))
    if min(rows, columns) < LEAST_SIDE:
        yield Finding("tiny", min(rows, columns), LEAST_SIDE, "The pixel matrix is too small for a radiograph.")
    low, high = PROPORTIONS
    if not low <= rows / columns <= high:
        yield Finding("proportions", round(rows / columns, 2), high, "The image is too long for a film of the chest.")
    values = image.astype(np.float64) / WHITE
    if values.std() < BLANK_DEVIATION:
        yield Finding("blank", round(float(values.std()), 4), BLANK_DEVIATION, "The image is blank.")
        return
    yield from _exposure(_middle(values))
    yield from _likeness(small(image))


def _sides(image: Display) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("Rows", image.shape[0]), ("Columns", image.shape[1])


def _middle(values: Small) -> Small:
    """Without the outer tenth: borders, collimator shadows and markers are no tissue."""
    rows, columns = values.shape
    return values[rows // 10 : rows - rows // 10, columns // 10 : columns - columns // 10]


def _exposure(middle: Small) -> Iterator[Finding]:
    mean, clipped = float(middle.mean()), float(np.mean((middle <= 0.002) | (middle >= 0.998)))
    contrast = float(np.subtract(*np.percentile(middle, [95, 5])))
    if mean < DARKEST:
        yield Finding("too-dark", round(mean, 3), DARKEST, "The image is displayed too dark.")
    if mean > BRIGHTEST:
        yield Finding("too-bright", round(mean, 3), BRIGHTEST, "The image is displayed too bright.")
    if contrast < LEAST_CONTRAST:
        yield Finding("low-contrast", round(contrast, 3), LEAST_CONTRAST, "The image uses few of the grays there are.")
    if clipped > MOST_CLIPPED:
        yield Finding(
            "clipped", round(clipped, 3), MOST_CLIPPED, "Much of the image is pure black or white: detail is lost."
        )


def _likeness(seen: Small) -> Iterator[Finding]:
    turned = [float((np.rot90(seen, turns) * template()).mean()) for turns in range(4)]
    best = max(range(4), key=lambda turns: abs(turned[turns]))
    if abs(turned[best]) < LIKE_A_CHEST:
        text = "The image does not look like a frontal chest, whichever way it is turned."
        yield Finding("not-like-a-chest", round(turned[0], 3), LIKE_A_CHEST, text)
        return
    if turned[best] < 0:
        text = "The image looks inverted: bright where a chest is dark. PhotometricInterpretation may be wrong."
        yield Finding("inverted", round(turned[best], 3), -LIKE_A_CHEST, text)
        return
    if best and turned[best] - turned[0] > TURNED_BY:
        text = f"The image looks like a chest that is turned by {90 * best} degrees clockwise."
        yield Finding("rotated", 90 * best, None, text)


def small(image: Display) -> Small:
    """The image at 32 x 32 with mean 0 and deviation 1, whatever its proportions."""
    reduced = fit(image, 256, 256).astype(np.float64)
    rows = np.array_split(np.arange(reduced.shape[0]), SIDE)
    columns = np.array_split(np.arange(reduced.shape[1]), SIDE)
    means = np.array([[reduced[np.ix_(r, c)].mean() if len(r) and len(c) else 0.0 for c in columns] for r in rows])
    centred = means - means.mean()
    deviation = centred.std()
    standard: Small = centred / deviation if deviation > 0 else centred
    return standard


@cache
def template() -> Small:
    """What a frontal chest looks like from afar, drawn by hand, mean 0 and deviation 1.

    A body before dark air, dark lungs that part downwards, a bright mediastinum with the heart on the image's right,
    and a bright abdomen.
    """
    v, u = np.mgrid[0:SIDE, 0:SIDE] * 2 / SIDE + 1 / SIDE - 1
    shoulders = -0.92 + 0.21 * _step((np.abs(u) - 0.3) * 12)
    body = _step((0.9 - np.abs(u)) * 14) * _step((v - shoulders) * 12)
    lungs = sum(
        _step((1 - ((u - side * (0.36 + 0.12 * v)) / 0.24) ** 2 - ((v + 0.12) / 0.62) ** 2) * 4) for side in (-1, 1)
    )
    mediastinum = np.exp(-(((u - 0.03) / 0.17) ** 2))
    heart = np.exp(-(((u - 0.22) / 0.25) ** 2 + ((v - 0.4) / 0.3) ** 2))
    drawn = body * (1 - 0.75 * lungs + 0.7 * mediastinum + 0.55 * _step((v - 0.5) * 8)) + 0.5 * heart
    centred = drawn - drawn.mean()
    standard: Small = centred / centred.std()
    return standard


def _step(x: Small) -> Small:
    return np.asarray(1 / (1 + np.exp(-x)))
