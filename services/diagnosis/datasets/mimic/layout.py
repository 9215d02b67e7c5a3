"""Where the files lie, and which columns are read of them.

Schemas: MIMIC-IV 2.2 to 3.1, MIMIC-IV-ED 2.2, MIMIC-IV-Note 2.2 (mimic.mit.edu/docs; `create.sql` of
MIT-LCP/mimic-code), MIMIC-CXR-JPG 2.0.0 to 2.1.0 (physionet.org/content/mimic-cxr-jpg). Columns are found by name:
releases have added some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.diagnosis.datasets.base import DatasetError, Place

COLUMNS: dict[str, tuple[str, ...]] = {
    "hosp/patients": ("subject_id", "gender", "anchor_age", "anchor_year"),
    "hosp/admissions": (
        "subject_id", "hadm_id", "admittime", "dischtime", "deathtime", "race", "edregtime", "hospital_expire_flag",
    ),
    "hosp/diagnoses_icd": ("subject_id", "hadm_id", "seq_num", "icd_code", "icd_version"),
    "icu/icustays": ("subject_id", "hadm_id", "stay_id", "intime", "outtime"),
    "icu/d_items": ("itemid", "label", "linksto"),
    "icu/chartevents": ("subject_id", "hadm_id", "charttime", "itemid", "valuenum"),
    "ed/edstays": ("subject_id", "hadm_id", "stay_id", "intime", "outtime", "race", "disposition"),
    "ed/triage": ("stay_id", "temperature", "heartrate", "resprate", "o2sat", "sbp", "dbp", "chiefcomplaint"),
    "ed/vitalsign": ("stay_id", "charttime", "temperature", "heartrate", "resprate", "o2sat", "sbp", "dbp"),
    "ed/diagnosis": ("stay_id", "seq_num", "icd_code", "icd_version"),
    "note/discharge": ("note_id", "subject_id", "hadm_id", "storetime", "text"),
    "note/radiology": ("note_id", "subject_id", "hadm_id", "storetime", "text"),
    "mimic-cxr-2.0.0-metadata": (
        "dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns", "StudyDate", "StudyTime",
    ),
    "mimic-cxr-2.0.0-split": ("dicom_id", "subject_id", "split"),
}  # fmt: skip
MODULES = {"hosp": "mimiciv", "icu": "mimiciv", "ed": "mimic-iv-ed", "note": "mimic-iv-note", "": "mimic-cxr-jpg"}
"""Folder -> the PhysioNet project that it comes with; the radiographs' tables lie in no folder."""


@dataclass(frozen=True)
class Layout:
    """The folders that were found; a module that nobody downloaded is None."""

    root: Path
    hosp: Path
    icu: Path | None
    ed: Path | None
    note: Path | None
    cxr: Path | None
    """The folder that holds `mimic-cxr-2.0.0-metadata.csv.gz` and `files/`."""

    def table(self, name: str) -> Path:
        """The file of a table: as published (`.csv.gz`), or unpacked (`.csv`)."""
        module, _, table = name.rpartition("/")
        folder: Path = getattr(self, module or "cxr")
        packed = folder / f"{table}.csv.gz"
        plain = folder / f"{table}.csv"
        return plain if plain.is_file() and not packed.is_file() else packed

    def jpg(self, subject: int, study: int, dicom: str) -> Path:
        """The file of one radiograph."""
        folder = f"p{str(subject)[:2]}"
        return (self.cxr or self.root) / "files" / folder / f"p{subject}" / f"s{study}" / f"{dicom}.jpg"

    def tables(self, *, ed: bool, split: bool) -> tuple[str, ...]:
        """Names of the tables that must be there: all that a module has, if the module is."""
        present = {"hosp", *(name for name in ("icu", "note") if getattr(self, name)), *(["ed"] if ed else [])}
        cxr = ["mimic-cxr-2.0.0-metadata"] if self.cxr else []
        if split:
            cxr.append("mimic-cxr-2.0.0-split")
        return (*(name for name in COLUMNS if name.partition("/")[0] in present), *cxr)


def locate(root: Path, *, ed: bool, split: bool) -> Layout:
    """Find the modules in a folder: side by side, or as `wget` and the PhysioNet site name them.

    Args:
        ed: the emergency department's module is needed.
        split: the official split of the radiographs is needed.
    Raises: DatasetError: a needed module or a table of a present one is missing.
    """
    found = {module: _find(root, module, project) for module, project in MODULES.items()}
    needed = ["hosp", *(["ed"] if ed else []), *([""] if split else [])]
    for module in needed:
        if found[module] is None:
            what = f"{module}/" if module else "mimic-cxr-2.0.0-metadata.csv.gz"
            problem = f"{what} of {MODULES[module]} is missing."
            raise DatasetError(Place(root), problem, "Give the folder that holds it, as downloaded from PhysioNet.")
    hosp = found["hosp"] or root
    layout = Layout(root, hosp, found["icu"], found["ed"], found["note"], found[""])
    for name in layout.tables(ed=ed, split=split):
        if not layout.table(name).is_file():
            raise DatasetError(
                Place(layout.table(name)), "The file is missing.", "Download it again, or remove its folder."
            )
    return layout


def _find(root: Path, module: str, project: str) -> Path | None:
    hits = sorted(
        {folder for base in _bases(root, project) if (folder := base / module).is_dir() and _is(folder, module)}
    )
    if len(hits) > 1:
        problem = f"{len(hits)} folders hold {project}: {hits[0].relative_to(root)} and {hits[1].relative_to(root)}."
        raise DatasetError(Place(root), problem, "Give a folder that holds one release.")
    return hits[0] if hits else None


def _is(folder: Path, module: str) -> bool:
    return bool(module) or any(folder.glob("mimic-cxr-2.0.0-*.csv*"))


def _bases(root: Path, project: str) -> Iterator[Path]:
    """`root`, its folders, and what mirrors of PhysioNet make: `mimiciv/3.1`, `physionet.org/files/mimiciv/3.1`."""
    yield root
    yield from (path for path in root.glob("*") if path.is_dir())
    yield from root.glob(f"{project}/*")
    yield from root.glob(f"physionet.org/files/{project}/*")
