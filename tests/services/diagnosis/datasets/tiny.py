"""Small datasets with the schema of the real ones, written where a test wants them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COHORT_ROW = {
    "study_offset_days": "2", "sex": "F", "age": "70", "finding": "bacterial", "label_basis": "metadata row",
    "survival": "Y", "went_icu": "Y", "in_icu_at_image": "N", "view": "PA", "note_text": "Cough. Klebsiella pneumonia.",
    "note_text_masked": "Cough. [MASKED] pneumonia.", "note_text_masked_strict": "Cough [MASKED] and fever.",
    "collection": "covid-image-data-collection", "licence": "CC BY 4.0", "credit": "A. Author",
    "source_url": "https://example.org/1",
}  # fmt: skip
OBSERVATION_COLUMNS = (
    "patient_id", "image_id", "loinc_code", "value", "comparator", "unit", "offset_from_image_days",
)  # fmt: skip
OBSERVATIONS = (
    ("P0", "i0", "8310-5", "38.5", "", "Cel", "-1.0"),
    ("P0", "i0", "2708-6", "91", "", "%", "0.0"),
    ("P0", "i0", "1988-5", "120", "", "mg/L", "-1.0"),
    ("P0", "i0", "1988-5", "80", "", "mg/L", "-5.0"),
    ("P0", "i0", "2532-0", "300", "", "U/L", "3.0"),
    ("P0", "i0", "48065-7", "", "<", "mg/L", "0.0"),
    ("P1", "i1", "8310-5", "385", "", "Cel", "0.0"),
    ("P1", "i1", "", "90", "", "%", "0.0"),
)
STAY = (
    ("00:00", "RecordID", "{record}"), ("00:00", "Age", "{age}"), ("00:00", "Gender", "0"), ("00:00", "Height", "-1"),
    ("00:00", "ICUType", "3"), ("00:00", "Weight", "80"), ("00:30", "HR", "88"), ("00:30", "NISysABP", "120"),
    ("06:00", "Temp", "-17.8"), ("06:00", "Temp", "37.5"), ("07:15", "SysABP", "110"), ("09:00", "Lactate", "2.5"),
    ("12:00", "MechVent", "1"), ("47:30", "HR", "{last}"),
)  # fmt: skip


def write_csv(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; gzipped by its name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    content = text.getvalue().encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


def write_picture(file: Path, number: int, *, height: int = 24, width: int = 32) -> None:
    """A grey picture of its own."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (height, width)).astype(np.uint8)).save(file)


def cohort_rows(count: int = 12) -> list[dict[str, str]]:
    """Patient k has image k; every third patient is well."""
    names = [{"image_id": f"i{k}", "image_file": f"images/i{k}.jpg", "patient_id": f"P{k}"} for k in range(count)]
    rows = [{**name, **COHORT_ROW} for name in names]
    return [{**row, "finding": "none" if k % 3 == 0 else "bacterial"} for k, row in enumerate(rows)]


def write_cohort(path: Path, rows: Sequence[dict[str, str]] | None = None) -> Path:
    """A chest X-ray cohort of 12 images, or of the rows given."""
    rows = cohort_rows() if rows is None else rows
    write_csv(path / "cohort.csv", list(rows[0]), [list(row.values()) for row in rows])
    write_csv(path / "observations.csv", OBSERVATION_COLUMNS, OBSERVATIONS)
    for k in range(12):
        write_picture(path / "images" / f"i{k}.jpg", k)
    bits = np.zeros((24, 32), np.uint8)
    bits[4:8, 4:8], bits[10:12, 20:24] = 1 | 8, 64
    (path / "masks").mkdir(exist_ok=True)
    Image.fromarray(bits).save(path / "masks" / "i0.png")
    return path


def stay(record: int) -> list[tuple[str, str, str]]:
    """One stay, unlike every other."""
    return [
        (at, name, value.format(record=record, age=40 + record % 50, last=60 + record % 100))
        for at, name, value in STAY
    ]


def write_stays(path: Path, records: Sequence[int] = tuple(range(101, 121))) -> Path:
    """PhysioNet-2012 in one table; every fourth patient dies."""
    rows = [(str(record), *entry) for record in records for entry in stay(record)]
    write_csv(path / "records.csv.gz", ("RecordID", "Time", "Parameter", "Value"), rows)
    write_outcomes(path / "outcomes.csv", records)
    return path


def write_outcomes(file: Path, records: Sequence[int]) -> None:
    """Outcomes with the columns of the challenge."""
    header = ("RecordID", "SAPS-I", "SOFA", "Length_of_stay", "Survival", "In-hospital_death")
    write_csv(file, header, [(str(record), "6", "1", "5", "-1", str(int(record % 4 == 0))) for record in records])


def write_challenge(path: Path, records: Sequence[int] = tuple(range(101, 121))) -> Path:
    """PhysioNet-2012 as published: a file per stay."""
    for record in records:
        write_csv(path / "set-a" / f"{record}.txt", ("Time", "Parameter", "Value"), stay(record))
    write_outcomes(path / "Outcomes-a.txt", records)
    return path


LABELS = ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
          "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia", "normal")  # fmt: skip


def report_xml(*, indication: str = "Cough.", findings: str = "Small left effusion.", impression: str = "") -> str:
    """A report with the elements that are read."""
    parts = {"COMPARISON": "None.", "INDICATION": indication, "FINDINGS": findings, "IMPRESSION": impression}
    texts = "".join(f'<AbstractText Label="{name}">{text}</AbstractText>' for name, text in parts.items())
    return f"<eCitation><MedlineCitation><Abstract>{texts}</Abstract></MedlineCitation></eCitation>"


def write_reports(path: Path, count: int = 12) -> Path:
    """Open-i reports; every second one has an effusion."""
    path.mkdir(parents=True, exist_ok=True)
    rows = [(f"CXR{k}", *("1" if name == "Effusion" and k % 2 else "0" for name in LABELS)) for k in range(count)]
    write_csv(path / "labels.csv", ("filename", *LABELS), rows)
    for k in range(count):
        (path / f"CXR{k}.xml").write_text(report_xml(findings="Left effusion." if k % 2 else "No effusion."))
    return path
