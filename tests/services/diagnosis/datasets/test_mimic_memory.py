"""Tables of any length pass through without being held."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.diagnosis.datasets.mimic import Mimic
from tests.services.diagnosis.datasets.mimic_fixture import PNEUMONIA, MimicFolder, Row, write_table

pytestmark = pytest.mark.slow  # reads long tables, to see what memory they take

NOTES, NOTE_CHARACTERS, READINGS = 16_000, 8_000, 60_000
PEAK_BYTES = 25e6


def long_notes(rows: list[Row]) -> Iterator[Row]:
    """Reports, most of them of other subjects."""
    text = "Unremarkable. " * (NOTE_CHARACTERS // 14)
    for number in range(NOTES):
        # One in 64 is of a patient of the folder, and in the span that is indexed.
        subject, hadm = (PNEUMONIA, None) if number % 64 == 0 else (19_000_000 + number, 29_000_000 + number)
        yield {**rows[1], "note_id": f"{number}", "subject_id": subject, "hadm_id": hadm, "text": f"{number} {text}",
               "storetime": "2180-05-05 00:00:00"}  # fmt: skip


def many_readings(rows: list[Row]) -> Iterator[Row]:
    for number in range(READINGS):
        second = f"2180-05-06 {20 + number // 36_000:02d}:{number // 600 % 60:02d}:{number // 10 % 60:02d}"
        yield {**rows[0], "itemid": 220045, "valuenum": 60 + number % 100, "charttime": second}


def test_memory_stays_small_however_long_the_tables(tmp_path: Path) -> None:
    folder = MimicFolder(tmp_path / "mimic")
    folder.write()
    for name, make in (("note/radiology", long_notes), ("icu/chartevents", many_readings)):
        write_table(folder.root / f"{name}.csv.gz", folder.headers[name], make(folder.tables[name]))
    written = NOTES * NOTE_CHARACTERS + READINGS * 90
    dataset = Mimic(folder.root, tmp_path / "cache")
    tracemalloc.start()
    try:
        case = next(iter(dataset.cases()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert case.inputs.vitals is not None
    assert len(case.inputs.vitals.values) > 10_000
    assert peak < PEAK_BYTES < written / 5
