"""An export of any length passes through without being held."""

from __future__ import annotations

import json
import tracemalloc
from datetime import timedelta
from pathlib import Path

from services.diagnosis.datasets.hospital import Hospital
from tests.services.diagnosis.datasets.hospital_fixture import document_json, ward_folder

COPIES, CHARACTERS = 6_000, 8_000
PEAK_BYTES = 4e6


def test_memory_stays_small_however_long_the_export(tmp_path: Path) -> None:
    folder = ward_folder(tmp_path / "hospital", patients=1)
    folder.resources["Observation"] = []
    root, written = folder.write(), 0
    note = folder.patients[0].note_json()
    with (root / "fhir/DocumentReference.001.ndjson").open("w", encoding="utf-8") as stream:
        for number in range(1, COPIES):
            # One in eight is near the case and enters the index.
            authored = folder.patients[0].as_of - timedelta(days=1 if number % 8 == 0 else 400)
            text = f"{number} " + "Unremarkable. " * (CHARACTERS // 14)
            document = document_json(0, {**note, "text": text, "authored": authored.isoformat()})
            written += stream.write(json.dumps({**document, "id": f"n{number}"}) + "\n")
    dataset = Hospital(root, tmp_path / "cache")
    tracemalloc.start()
    try:
        case = next(iter(dataset.cases()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(case.inputs.notes) == 3
    assert peak < PEAK_BYTES < written / 10
