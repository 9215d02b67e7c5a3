"""Vital signs and laboratory values of the chest X-ray cohort, as far as they were known when the image was taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.diagnosis.datasets.base import DatasetError
from services.diagnosis.datasets.tables import Row, read_rows
from shared.codes import VITAL_SIGNS

COLUMNS = ("patient_id", "image_id", "loinc_code", "value", "comparator", "unit", "offset_from_image_days")
UNITS = {
    "1988-5": "mg/L", "11556-8": "mm[Hg]", "11557-6": "mm[Hg]", "2532-0": "U/L", "731-0": "10*3/uL", "751-8": "10*3/uL",
    "48065-7": "mg/L", "6690-2": "10*3/uL",
}  # fmt: skip
"""The one unit that each laboratory value is published in."""
SIGNS = {code: sign for sign in VITAL_SIGNS for code in (sign.coding.code, *sign.aliases)}


@dataclass(frozen=True)
class Observation:
    """One value."""

    code: str
    """LOINC."""
    value: float
    at_h: float
    """Hours relative to the image, <= 0."""
    sign: bool
    """Whether it is a vital sign, which a bundle knows."""


def read_observations(file: Path, people: Mapping[str, str]) -> tuple[dict[str, list[Observation]], Counter[str]]:
    """Image -> its values, oldest first; and what was left out.

    Args:
        people: image -> patient.
    Raises: DatasetError: also for an unknown image, another patient than the image's, or a unit unlike the code's.
    """
    kept: dict[str, list[Observation]] = {}
    dropped: Counter[str] = Counter()
    for row in read_rows(file, COLUMNS):
        image = row.required("image_id")
        if people.get(image) != row.required("patient_id"):
            problem = "The image is not in cohort.csv, or belongs to another patient."
            raise DatasetError(row.place, problem, "Correct image_id or patient_id, or remove the row.")
        item = _observation(row)
        if isinstance(item, Observation):
            kept.setdefault(image, []).append(item)
        else:
            dropped[f"observation: {item}"] += 1
    for items in kept.values():
        items.sort(key=lambda item: item.at_h)
    return kept, dropped


def _observation(row: Row) -> Observation | str:
    """The observation, or why it is left out."""
    code, days = row.text("loinc_code"), row.number("offset_from_image_days", -3650, 3650)
    if code is None:
        return "no LOINC code"
    if days is None or days > 0:
        return "taken after the image, or at an unknown time"
    value = row.number("value")
    if value is None:
        return "beyond the detection limit"
    sign = SIGNS.get(code)
    if row.text("unit") != (sign.unit if sign else UNITS.get(code)):
        raise DatasetError(row.place, "The code and its unit are not known together.", "Convert the value.")
    if sign and not sign.low <= value <= sign.high:
        return "not of a living person"
    return Observation(code, value, 24 * days, sign is not None)
