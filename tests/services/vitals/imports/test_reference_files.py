"""Every file of the real vitals at the door for files: taken, with what became of its records, or refused by name.

Files of tables (CSV) are no export of a wearable: the door says so, and other tests send their rows line by line.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.services.vitals.imports.importing import outcome_of, send_file

REFUSED = "refused"
TABLE = {
    "README.md": REFUSED,
    "icu-48h/*.csv": REFUSED,
    "icu-48h/*.csv.gz": REFUSED,
    "icu-48h/original/*.txt": REFUSED,
    "icu-monitor/*.csv": REFUSED,
    "icu-monitor/*.csv.gz": REFUSED,
    "mimic-iii-demo/*.csv": REFUSED,
    "mimic-iii-demo/*.csv.gz": REFUSED,
    "wearable-fitbit/*.csv": REFUSED,  # the takeout's JSON is taken, this extract of it is not
    "wearable-fit/files.csv": REFUSED,
    "wearable-fit/*.fit": "fit",
    "open-mhealth/*/empty-document.json": REFUSED,
    "open-mhealth/*.json": "open-mhealth",
}
"""Pattern -> format as which files are taken; the first that fits counts."""
FILES = {"refused": 86, "fit": 8, "open-mhealth": 69}
RECORDS = {
    # (accepted, duplicates, rejected): as test_fit.py and test_open_mhealth.py count them, file by file.
    "fit": (1641, 0, 754 + 3 + 2),
    "open-mhealth": (15, 4, 25),
}


def expected(name: str) -> str:
    return next(kind for pattern, kind in TABLE.items() if fnmatch(name, pattern))


@pytest.fixture(scope="module")
def files(vitals_data: Path) -> dict[str, Path]:
    return {str(p.relative_to(vitals_data)): p for p in sorted(vitals_data.rglob("*")) if p.is_file()}


def test_every_file_has_its_line_in_the_table(files: dict[str, Path]) -> None:
    assert Counter(expected(name) for name in files) == FILES


def test_every_file_is_taken_or_refused_as_the_table_says(client: TestClient, files: dict[str, Path]) -> None:
    records = {kind: Counter[str]() for kind in RECORDS}
    for name, path in files.items():
        answer = send_file(client, path.read_bytes(), patient="P-1", zone="America/New_York")
        if expected(name) == REFUSED:
            assert answer.status_code == 422, name
            assert answer.json()["errors"][0]["field"] == "file", name
            continue
        assert answer.status_code in (200, 202), (name, answer.text)
        assert answer.json()["format"] == expected(name), name
        if answer.status_code == 202:  # some test data of several versions are the same bytes
            done = outcome_of(client, answer.headers["location"])
            assert done["state"] == "succeeded", name
            records[expected(name)].update(done["counts"])
    assert {
        kind: tuple(c[part] for part in ("accepted", "duplicates", "rejected")) for kind, c in records.items()
    } == RECORDS
